// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's instruction set; see isa.h.
 *
 * KVM reports extensions by number; a device tree names them.  The table is
 * indexed by KVM's number.  H is missing on purpose: no guest of Umbra has it,
 * and a guest that saw it would try to use it.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "isa.h"
#include "util.h"

static const char *const ext_names[ISA_MAX_EXT] = {
	[0] = "a",		[1] = "c",		[2] = "d",
	[3] = "f",		[5] = "i",		[6] = "m",
	[7] = "svpbmt",		[8] = "sstc",		[9] = "svinval",
	[10] = "zihintpause",	[11] = "zicbom",	[12] = "zicboz",
	[13] = "zbb",		[14] = "ssaia",		[15] = "v",
	[16] = "svnapot",	[17] = "zba",		[18] = "zbs",
	[19] = "zicntr",	[20] = "zicsr",		[21] = "zifencei",
	[22] = "zihpm",		[23] = "smstateen",	[24] = "zicond",
	[25] = "zbc",		[26] = "zbkb",		[27] = "zbkc",
	[28] = "zbkx",		[29] = "zknd",		[30] = "zkne",
	[31] = "zknh",		[32] = "zkr",		[33] = "zksed",
	[34] = "zksh",		[35] = "zkt",		[36] = "zvbb",
	[37] = "zvbc",		[38] = "zvkb",		[39] = "zvkg",
	[40] = "zvkned",	[41] = "zvknha",	[42] = "zvknhb",
	[43] = "zvksed",	[44] = "zvksh",		[45] = "zvkt",
	[46] = "zfh",		[47] = "zfhmin",	[48] = "zihintntl",
	[49] = "zvfh",		[50] = "zvfhmin",	[51] = "zfa",
	[52] = "ztso",		[53] = "zacas",		[54] = "sscofpmf",
	[55] = "zimop",		[56] = "zca",		[57] = "zcb",
	[58] = "zcd",		[59] = "zcf",		[60] = "zcmop",
	[61] = "zawrs",		[62] = "smnpm",		[63] = "ssnpm",
	[64] = "svade",		[65] = "svadu",		[66] = "svvptc",
	[67] = "zabha",		[68] = "ziccrse",	[69] = "zaamo",
	[70] = "zalrsc",	[71] = "zicbop",	[72] = "zfbfmin",
	[73] = "zvfbfmin",	[74] = "zvfbfwma",	[75] = "zclsd",
	[76] = "zilsd",		[77] = "zalasr",
};

/* The order the ISA manual gives to the letters ("canonical"). */
static const char letters[] = "imafdqcbv";

const char *isa_ext_name(unsigned int id)
{
	return id < ISA_MAX_EXT ? ext_names[id] : NULL;
}

static bool has_letter(const struct isa *isa, char letter)
{
	for (unsigned int id = 0; id < ISA_MAX_EXT; id++)
		if (isa->ext[id] && ext_names[id] &&
		    ext_names[id][0] == letter && !ext_names[id][1])
			return true;
	return false;
}

/*
 * Z extensions first, then S: the manual's order of classes.  Within a class
 * KVM's order; Linux takes any.
 */
static const char *next_multi_letter(const struct isa *isa, char class,
				     unsigned int *pos)
{
	while (*pos < ISA_MAX_EXT) {
		unsigned int id = (*pos)++;
		const char *name = ext_names[id];

		if (isa->ext[id] && name && name[1] && name[0] == class)
			return name;
	}
	return NULL;
}

static int append(char *buf, size_t size, size_t *used, const char *s,
		  size_t len)
{
	if (len > size - *used)
		return -ENOSPC;
	memcpy(buf + *used, s, len);
	*used += len;
	return 0;
}

int isa_string(const struct isa *isa, char *buf, size_t size)
{
	static const char classes[] = "zs";
	const char *name;
	size_t used = 0;
	int ret;

	ret = append(buf, size, &used, "rv64", 4);
	for (const char *l = letters; *l && !ret; l++)
		if (has_letter(isa, *l))
			ret = append(buf, size, &used, l, 1);

	for (const char *c = classes; *c && !ret; c++) {
		unsigned int pos = 0;

		while (!ret && (name = next_multi_letter(isa, *c, &pos))) {
			ret = append(buf, size, &used, "_", 1);
			if (!ret)
				ret = append(buf, size, &used, name,
					     strlen(name));
		}
	}
	return ret ? ret : append(buf, size, &used, "", 1);
}

int isa_string_list(const struct isa *isa, char *buf, size_t size)
{
	static const char classes[] = "zs";
	const char *name;
	size_t used = 0;
	int ret = 0;

	for (const char *l = letters; *l && !ret; l++) {
		char one[2] = { *l, '\0' };

		if (has_letter(isa, *l))
			ret = append(buf, size, &used, one, 2);
	}
	for (const char *c = classes; *c && !ret; c++) {
		unsigned int pos = 0;

		while (!ret && (name = next_multi_letter(isa, *c, &pos)))
			ret = append(buf, size, &used, name, strlen(name) + 1);
	}
	return ret ? ret : (int)used;
}

bool isa_string_has_letter(const char *s, char letter)
{
	if (strncmp(s, "rv", 2))
		return false;
	for (s += 2; isdigit((unsigned char)*s); s++)
		;
	/* Multi-letter names begin with one of these; letters end there. */
	for (; *s && *s != '_' && !strchr("zsx", *s); s++)
		if (*s == letter)
			return true;
	return false;
}
