// SPDX-License-Identifier: GPL-2.0
/*
 * `umbra run --stats FILE`: the module's counters when the guest has ended.
 *
 * The format is KVM's binary statistics (Documentation/virt/kvm/api.rst in
 * Linux, 4.134): a header, descriptors with names, values.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"
#include "stats.h"
#include "vcpu.h"

/* The module is ours, its sizes are not to be trusted all the same. */
#define STATS_MAX_DESC	1024
#define STATS_MAX_NAME	256

static bool pread_full(int fd, void *buf, size_t len, off_t off)
{
	return pread(fd, buf, len, off) == (ssize_t)len;
}

static bool print_one(FILE *out, unsigned int vcpu, int fd,
		      const struct kvm_stats_header *h, unsigned int n)
{
	struct {
		struct kvm_stats_desc desc;
		char name[STATS_MAX_NAME];
	} d = { 0 };
	size_t size = sizeof(d.desc) + h->name_size;
	u64 val;

	if (!pread_full(fd, &d, size, (off_t)(h->desc_offset + n * size)) ||
	    !pread_full(fd, &val, sizeof(val),
			(off_t)h->data_offset + (off_t)d.desc.offset))
		return false;
	d.name[STATS_MAX_NAME - 1] = '\0';
	fprintf(out, "%u\t%s\t%" PRIu64 "\n", vcpu, d.name, val);
	return true;
}

static bool print_vcpu(FILE *out, const struct vcpu *v)
{
	struct kvm_stats_header h;
	int fd = ioctl(v->fd, KVM_GET_STATS_FD, NULL);
	bool ok;

	if (fd < 0)
		return false;
	ok = pread_full(fd, &h, sizeof(h), 0) && h.num_desc <= STATS_MAX_DESC &&
	     h.name_size < STATS_MAX_NAME;
	for (unsigned int n = 0; ok && n < h.num_desc; n++)
		ok = print_one(out, v->id, fd, &h, n);
	close(fd);
	return ok;
}

int stats_write(const struct vm *vm, const char *path)
{
	FILE *out = fopen(path, "ae");
	bool ok = true;

	if (!out)
		return fail(STATUS_NOINPUT, "--stats '%s': cannot write it: %s; choose another path",
			    path, strerror(errno));
	for (unsigned int i = 0; i < vm->nr_vcpus && ok; i++)
		ok = print_vcpu(out, &vm->vcpus[i]);
	if (fclose(out))
		return fail(STATUS_NOINPUT, "--stats '%s': cannot write it: %s",
			    path, strerror(errno));
	return ok ? 0 : fail(STATUS_UNAVAILABLE, "--stats: the module gives no statistics; do module and launcher belong together? (`umbra check`)");
}
