// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/decode.c
/*
 * The decoder against the list of decode_oracle.h, over all 2^32 words: it
 * accepts what the list has, rejects what the list does not have, and every
 * field is as the list says.
 *
 * The list is parsed into patterns that are matched one after the other, which
 * is slow, so each word meets only those that agree with its opcode and funct3,
 * and a 16-bit instruction is looked up once for all its 2^16 upper halves,
 * which must make no difference.
 */
#include <pthread.h>

#include "unit.h"
#include "../../vmm_core/decode.h"
#include "decode_oracle.h"

static const char *const op_names[] = {
	[UMBRA_OP_ILLEGAL] = "ILLEGAL",
	[UMBRA_OP_OTHER] = "OTHER",
	[UMBRA_OP_CSRRW] = "CSRRW",
	[UMBRA_OP_CSRRS] = "CSRRS",
	[UMBRA_OP_CSRRC] = "CSRRC",
	[UMBRA_OP_CSRRWI] = "CSRRWI",
	[UMBRA_OP_CSRRSI] = "CSRRSI",
	[UMBRA_OP_CSRRCI] = "CSRRCI",
	[UMBRA_OP_ECALL] = "ECALL",
	[UMBRA_OP_EBREAK] = "EBREAK",
	[UMBRA_OP_SRET] = "SRET",
	[UMBRA_OP_MRET] = "MRET",
	[UMBRA_OP_WFI] = "WFI",
	[UMBRA_OP_SFENCE_VMA] = "SFENCE_VMA",
	[UMBRA_OP_SINVAL_VMA] = "SINVAL_VMA",
	[UMBRA_OP_SFENCE_W_INVAL] = "SFENCE_W_INVAL",
	[UMBRA_OP_SFENCE_INVAL_IR] = "SFENCE_INVAL_IR",
	[UMBRA_OP_LOAD] = "LOAD",
	[UMBRA_OP_STORE] = "STORE",
	[UMBRA_OP_FLOAD] = "FLOAD",
	[UMBRA_OP_FSTORE] = "FSTORE",
	[UMBRA_OP_LR] = "LR",
	[UMBRA_OP_SC] = "SC",
	[UMBRA_OP_AMO] = "AMO",
	[UMBRA_OP_VMEM] = "VMEM",
	[UMBRA_OP_CBO] = "CBO",
};

/* A range of bits of the instruction, and where they go. */
struct bits {
	unsigned int from, count, to;
};

struct reg {
	struct bits at;		/* none if count is 0 */
	u8 add;			/* 8 for three-bit registers, or implied */
};

struct pattern {
	char name[24];
	u8 op;
	u32 mask, match;
	unsigned int nr_not;
	struct {
		u32 mask, match;
	} not[2];
	struct reg rd, rs1, rs2;
	struct bits csr;
	struct bits imm[4];
	unsigned int nr_imm;
	bool imm_signed;
	u8 width;
	bool sign;
};

static struct pattern patterns[ARRAY_SIZE(decode_oracle)];

/*
 * The patterns that a word can match, by its bits 14..12 and 6..0; a 16-bit
 * instruction has no such fields, but its bits are as good as any for this.
 * NULL ends each list.
 */
#define BUCKET_BITS	0x707f
static const struct pattern **buckets[1024];

static unsigned int bucket_of(u32 raw)
{
	return (raw & 0x7f) | (raw >> 12 & 7) << 7;
}

/* Whether the list says something about a major opcode. */
static bool opcode_listed[128];

static u32 bits_mask(unsigned int from, unsigned int count)
{
	return (u32)((1ull << count) - 1) << from;
}

static u32 get_bits(u32 raw, struct bits b)
{
	return (raw >> b.from & (u32)((1ull << b.count) - 1)) << b.to;
}

static void bad_oracle(const char *line, const char *token)
{
	fprintf(stderr, "decode_oracle.h: cannot read \"%s\" in \"%s\"\n",
		token, line);
	exit(2);
}

/* "31..20" or "5"; returns what follows, NULL if it is neither. */
static const char *parse_range(const char *s, unsigned int *lo,
			       unsigned int *count)
{
	char *end;
	unsigned long hi = strtoul(s, &end, 10), low = hi;

	if (end == s)
		return NULL;
	if (!strncmp(end, "..", 2))
		low = strtoul(end + 2, &end, 10);
	if (low > hi || hi > 31)
		return NULL;
	*lo = low;
	*count = hi - low + 1;
	return end;
}

static unsigned long parse_value(const char *s)
{
	if (!strncmp(s, "0b", 2))
		return strtoul(s + 2, NULL, 2);
	return strtoul(s, NULL, 0);
}

static bool parse_reg(const char *s, struct reg *reg)
{
	if (*s == '\'') {
		reg->add = 8;
		s++;
	}
	if (*s++ != ':')
		return false;
	if (*s == 'x') {
		reg->add = strtoul(s + 1, NULL, 10);
		return true;
	}
	return parse_range(s, &reg->at.from, &reg->at.count);
}

/* "11..5@31..25,4..0@11..7" */
static bool parse_imm(const char *s, struct pattern *p)
{
	for (;;) {
		struct bits *b = &p->imm[p->nr_imm++];
		unsigned int count;

		s = parse_range(s, &b->to, &count);
		if (!s || *s++ != '@')
			return false;
		s = parse_range(s, &b->from, &b->count);
		if (!s || b->count != count)
			return false;
		if (*s++ != ',')
			return true;
	}
}

static bool parse_token(const char *s, struct pattern *p)
{
	unsigned int from, count;

	if (!strncmp(s, "rd", 2))
		return parse_reg(s + 2, &p->rd);
	if (!strncmp(s, "rs1", 3))
		return parse_reg(s + 3, &p->rs1);
	if (!strncmp(s, "rs2", 3))
		return parse_reg(s + 3, &p->rs2);
	if (!strncmp(s, "csr:", 4))
		return parse_range(s + 4, &p->csr.from, &p->csr.count);
	if (!strncmp(s, "width:", 6))
		return (p->width = strtoul(s + 6, NULL, 10));
	if (!strcmp(s, "sign"))
		return (p->sign = true);
	if (!strncmp(s, "simm:", 5)) {
		p->imm_signed = true;
		return parse_imm(s + 5, p);
	}
	if (!strncmp(s, "uimm:", 5))
		return parse_imm(s + 5, p);

	s = parse_range(s, &from, &count);
	if (!s)
		return false;
	if (*s == '=') {
		/* The same bit twice would be an error of the list. */
		if (p->mask & bits_mask(from, count))
			return false;
		p->mask |= bits_mask(from, count);
		p->match |= parse_value(s + 1) << from;
		return !(p->match & ~p->mask);
	}
	if (!strncmp(s, "!=", 2) && p->nr_not < ARRAY_SIZE(p->not)) {
		p->not[p->nr_not].mask = bits_mask(from, count);
		p->not[p->nr_not++].match = parse_value(s + 2) << from;
		return true;
	}
	return false;
}

static void parse_line(const char *line, struct pattern *p)
{
	char buf[256], *token, *save;
	unsigned int op;

	snprintf(buf, sizeof(buf), "%s", line);
	token = strtok_r(buf, " ", &save);
	snprintf(p->name, sizeof(p->name), "%s", token);

	token = strtok_r(NULL, " ", &save);
	for (op = 0; op < ARRAY_SIZE(op_names); op++)
		if (!strcmp(op_names[op], token))
			break;
	if (op == ARRAY_SIZE(op_names))
		bad_oracle(line, token);
	p->op = op;

	while ((token = strtok_r(NULL, " ", &save)))
		if (!parse_token(token, p))
			bad_oracle(line, token);
}

static void parse_oracle(void)
{
	unsigned int i, b, n;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		parse_line(decode_oracle[i], &patterns[i]);
		if ((patterns[i].mask & 0x7f) == 0x7f)
			opcode_listed[patterns[i].match & 0x7f] = true;
	}

	for (b = 0; b < ARRAY_SIZE(buckets); b++) {
		u32 bits = (b & 0x7f) | (b >> 7) << 12;

		buckets[b] = calloc(ARRAY_SIZE(patterns) + 1,
				    sizeof(*buckets[b]));
		for (i = 0, n = 0; i < ARRAY_SIZE(patterns); i++)
			if (!((bits ^ patterns[i].match) & patterns[i].mask &
			      BUCKET_BITS))
				buckets[b][n++] = &patterns[i];
	}
}

static bool matches(const struct pattern *p, u32 raw)
{
	unsigned int i;

	if ((raw & p->mask) != p->match)
		return false;
	for (i = 0; i < p->nr_not; i++)
		if ((raw & p->not[i].mask) == p->not[i].match)
			return false;
	return true;
}

/* The pattern of a word; NULL if there is none, and *ambiguous if several. */
static const struct pattern *lookup(u32 raw, bool *ambiguous)
{
	const struct pattern **p, *found = NULL;

	for (p = buckets[bucket_of(raw)]; *p; p++) {
		if (!matches(*p, raw))
			continue;
		if (found)
			*ambiguous = true;
		found = *p;
	}
	return found;
}

static u8 get_reg(u32 raw, const struct reg *reg)
{
	return get_bits(raw, reg->at) + reg->add;
}

static s32 get_imm(u32 raw, const struct pattern *p)
{
	unsigned int i, top = 0;
	s32 imm = 0;

	for (i = 0; i < p->nr_imm; i++) {
		imm |= get_bits(raw, p->imm[i]);
		top = max(top, p->imm[i].to + p->imm[i].count);
	}
	if (p->imm_signed && imm >> (top - 1) & 1)
		imm -= 1 << top;
	return imm;
}

/* What the decoder must make of a word. */
static void expected(u32 raw, struct umbra_insn *e, bool *ambiguous)
{
	const struct pattern *p;

	memset(e, 0, sizeof(*e));
	e->len = 4;
	if ((raw & 3) != 3) {
		raw &= 0xffff;
		e->len = 2;
	}
	e->raw = raw;

	p = lookup(raw, ambiguous);
	if (!p) {
		e->op = e->len == 2 || opcode_listed[raw & 0x7f] ?
			UMBRA_OP_ILLEGAL : UMBRA_OP_OTHER;
		return;
	}
	e->op = p->op;
	e->rd = get_reg(raw, &p->rd);
	e->rs1 = get_reg(raw, &p->rs1);
	e->rs2 = get_reg(raw, &p->rs2);
	e->csr = get_bits(raw, p->csr);
	e->imm = get_imm(raw, p);
	e->width = p->width;
	e->sign = p->sign;
}

/* Field by field, since the padding is anything. */
static inline bool same(const struct umbra_insn *a, const struct umbra_insn *b)
{
	return !((a->raw ^ b->raw) | (a->op ^ b->op) | (a->len ^ b->len) |
		 (a->rd ^ b->rd) | (a->rs1 ^ b->rs1) | (a->rs2 ^ b->rs2) |
		 (a->width ^ b->width) | (a->sign ^ b->sign) |
		 (a->csr ^ b->csr) | (a->imm ^ b->imm));
}

static const char *show(const struct umbra_insn *i, char *buf, size_t size)
{
	snprintf(buf, size,
		 "%s raw %#x len %u rd %u rs1 %u rs2 %u width %u sign %d csr %#x imm %d",
		 i->op < ARRAY_SIZE(op_names) ? op_names[i->op] : "?", i->raw,
		 i->len, i->rd, i->rs1, i->rs2, i->width, i->sign, i->csr,
		 i->imm);
	return buf;
}

/* Say what is wrong with a word, or nothing. */
static void check_word(u32 raw)
{
	struct umbra_insn e, d;
	bool ambiguous = false;
	char eb[128], db[128];
	const struct pattern *p = lookup((raw & 3) == 3 ? raw : (u16)raw,
					 &ambiguous);

	expected(raw, &e, &ambiguous);
	umbra_decode(raw, &d);
	if (ambiguous)
		fail_test("%#010x: two lines of decode_oracle.h match", raw);
	if (!same(&d, &e))
		fail_test("%#010x is %s, expected (%s) %s", raw,
			  show(&d, db, sizeof(db)), p ? p->name : "no line",
			  show(&e, eb, sizeof(eb)));
}

/* The halfwords, or lower halves of words, are dealt out to the threads. */
#define CHUNK	256
static unsigned int next_chunk;

struct worker {
	pthread_t thread;
	u64 words;
	u64 bad;
	u32 first[UNIT_MAX_SHOWN];	/* for check_word() to explain */
};

static void bad_word(struct worker *w, u32 raw)
{
	if (w->bad < ARRAY_SIZE(w->first))
		w->first[w->bad] = raw;
	w->bad++;
}

/* All words with the lower half @low.  The hot loop of this program. */
static void scan(struct worker *w, u32 low)
{
	bool compressed = (low & 3) != 3;
	bool by_word = !compressed && opcode_listed[low & 0x7f];
	struct umbra_insn e, d;
	bool ambiguous = false;
	u32 high;

	expected(low, &e, &ambiguous);
	for (high = 0; high < 0x10000; high++) {
		u32 raw = high << 16 | low;

		if (by_word)
			expected(raw, &e, &ambiguous);
		else if (!compressed)
			e.raw = raw;
		umbra_decode(raw, &d);
		if (!same(&d, &e) || ambiguous) {
			bad_word(w, raw);
			ambiguous = false;
		}
	}
	w->words += 0x10000;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned int low, end;

	for (;;) {
		low = __atomic_fetch_add(&next_chunk, CHUNK, __ATOMIC_RELAXED);
		if (low >= 0x10000)
			return NULL;
		for (end = low + CHUNK; low < end; low++)
			scan(w, low);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A list that has a line which matches nothing tests less than it says. */
UNIT_TEST(oracle_lines_are_reachable_and_disjoint)
{
	unsigned int i, tries;
	bool ambiguous = false;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct pattern *p = &patterns[i];

		/* Those with "!=" may need a few tries. */
		for (tries = 0; tries < 100; tries++) {
			u32 raw = ((u32)unit_rand() & ~p->mask) | p->match;

			if ((raw & 3) != 3)
				raw &= 0xffff;
			if (!matches(p, raw))
				continue;
			if (lookup(raw, &ambiguous) != p || ambiguous)
				fail_test("%s: also another line matches %#x",
					  p->name, raw);
			break;
		}
		if (tries == 100)
			fail_test("%s: matches nothing", p->name);
	}
}

UNIT_TEST(every_halfword)
{
	u32 raw;

	for (raw = 0; raw < 0x10000; raw++)
		if ((raw & 3) != 3)
			check_word(raw);
}

UNIT_TEST(every_word)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct worker workers[16] = { 0 };
	int i, n = min(max(cpus, 1L), 16L);
	double start = now();
	u64 words = 0;
	unsigned int j;

	next_chunk = 0;
	for (i = 0; i < n; i++)
		require_eq(pthread_create(&workers[i].thread, NULL, work,
					  &workers[i]), 0);
	for (i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		words += workers[i].words;
	}
	printf("# %llu words in %.1f s on %d threads\n",
	       (unsigned long long)words, now() - start, n);
	expect_eq(words, 1ull << 32);

	for (i = 0; i < n; i++) {
		expect_eq(workers[i].bad, 0);
		for (j = 0; j < UNIT_MAX_SHOWN && j < workers[i].bad; j++)
			check_word(workers[i].first[j]);
	}
}

/* What an assembler makes of these, so that list and decoder do not err alike. */
UNIT_TEST(assembled)
{
	static const struct {
		const char *text;
		struct umbra_insn insn;
	} known[] = {
#include "decode_oracle_asm.h"
	};
	char eb[128], db[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct umbra_insn *e = &known[i].insn;
		struct umbra_insn d;

		umbra_decode(e->raw, &d);
		if (!same(&d, e))
			fail_test("%s: is %s, expected %s", known[i].text,
				  show(&d, db, sizeof(db)),
				  show(e, eb, sizeof(eb)));
	}
}

UNIT_TEST(length)
{
	u32 half;

	for (half = 0; half < 0x10000; half++)
		if (!expect_eq(umbra_insn_len(half), (half & 3) == 3 ? 4 : 2))
			break;
}

int main(int argc, char **argv)
{
	parse_oracle();
	return unit_main(argc, argv);
}
