// SPDX-License-Identifier: GPL-2.0
/*
 * The module's counters: reading them, and `umbra run --stats FILE`, which
 * writes them when the guest has ended.
 *
 * The format is KVM's binary statistics (Documentation/virt/kvm/api.rst in
 * Linux, 4.134): a header, descriptors with names, values.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kvm.h"
#include "stats.h"
#include "vcpu.h"

static bool pread_full(int fd, void *buf, size_t len, off_t off)
{
	return pread(fd, buf, len, off) == (ssize_t)len;
}

static bool read_one(int fd, const struct kvm_stats_header *h, unsigned int n,
		     struct stats *stats)
{
	struct {
		struct kvm_stats_desc desc;
		char name[STATS_NAME];
	} d = { 0 };
	size_t size = sizeof(d.desc) + h->name_size;

	if (!pread_full(fd, &d, size, (off_t)(h->desc_offset + n * size)) ||
	    !pread_full(fd, &stats->counter[n].value, sizeof(uint64_t),
			(off_t)h->data_offset + (off_t)d.desc.offset))
		return false;
	d.name[STATS_NAME - 1] = '\0';
	memcpy(stats->counter[n].name, d.name, STATS_NAME);
	return true;
}

/* The module is ours, its sizes are not to be trusted all the same. */
bool stats_read(int fd, struct stats *stats)
{
	struct kvm_stats_header h;
	bool ok;

	memset(stats, 0, sizeof(*stats));
	ok = pread_full(fd, &h, sizeof(h), 0) && h.num_desc <= STATS_MAX &&
	     h.name_size < STATS_NAME &&
	     pread_full(fd, stats->id, h.name_size, (off_t)h.id_offset);
	for (unsigned int n = 0; ok && n < h.num_desc; n++)
		ok = read_one(fd, &h, n, stats);
	stats->nr = ok ? h.num_desc : 0;
	return ok;
}

int stats_write(const struct vm *vm, const char *path)
{
	FILE *out = fopen(path, "ae");
	static struct stats stats;
	bool ok = true;

	if (!out)
		return fail(STATUS_NOINPUT, "--stats '%s': cannot write it: %s; choose another path",
			    path, strerror(errno));
	for (unsigned int i = 0; i < vm->nr_vcpus && ok; i++) {
		ok = stats_read(vm->vcpus[i].stats_fd, &stats);
		for (unsigned int n = 0; n < stats.nr; n++)
			fprintf(out, "%u\t%s\t%" PRIu64 "\n", vm->vcpus[i].id,
				stats.counter[n].name, stats.counter[n].value);
	}
	if (fclose(out))
		return fail(STATUS_NOINPUT, "--stats '%s': cannot write it: %s",
			    path, strerror(errno));
	return ok ? 0 : fail(STATUS_UNAVAILABLE, "--stats: the module gives no statistics; do module and launcher belong together? (`umbra check`)");
}
