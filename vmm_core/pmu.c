// SPDX-License-Identifier: GPL-2.0
/*
 * The SBI PMU extension (SBI specification 2.0, chapter 11): a guest's counters
 * are perf events of the host, bound to the vCPU's thread.
 *
 * Logical counter i below umbra_pmu.nr_hw reads as CSR cycle + i; 1 is time and
 * none of ours; the others are firmware counters.  What counts is everything the
 * thread does in U-mode: vS, vU, and the little that user space does itself.
 * Without Sscofpmf the host cannot filter, and its own S-mode is counted too.
 * Filters by mode are hints in SBI, and not followed.
 *
 * All but overflowed() runs in the vCPU's thread.  An event that overflows
 * stops (a guest that asks for an interrupt every other cycle must not bring
 * the host to its knees) until the guest starts the counter again, as every
 * sampling profiler does.  Not every machine that has Sscofpmf interrupts when
 * it should (QEMU's does not), so the host's own ticks are a second look.
 */
#include <linux/perf_event.h>
#include <linux/perf/riscv_pmu.h>
#include <linux/slab.h>

#include "sbi.h"

#define MAX_HW		32	/* as many as there are CSRs */
#define MAX_COUNTERS	64	/* as many as a snapshot holds */

static_assert(MAX_HW + SBI_PMU_FW_MAX <= MAX_COUNTERS);

/* counter_idx and event_idx (11.3, 11.4) */
#define TIME_COUNTER	1
#define EVENT_TYPE(idx)	(((idx) >> 16) & 0xf)
#define EVENT_CODE(idx)	((idx) & 0xffff)
#define RAW_EVENT_MASK	GENMASK_ULL(47, 0)

/* counter_get_info: CSR number, width - 1, type. */
#define INFO_WIDTH	(63UL << 12)
#define INFO_FIRMWARE	BIT(63)

/* Where a snapshot has its values. */
#define SNAP_SIZE	4096
#define SNAP_OVERFLOWS	0
#define SNAP_VALUE(i)	(8 + 8 * (i))

/**
 * struct pmc - one counter
 * @vcpu: whose
 * @event: the host's, NULL for firmware counters and before configuration
 * @thread: the thread that @event counts; only compared
 * @from: what @event had counted when the guest started it
 * @left: so many more, and the counter passes 0
 * @offset: what the guest reads is this plus what @event counted
 * @event_idx: SBI's name of the event
 * @event_data: for raw events
 * @idx: its number
 * @used: configured
 * @started: counts, as far as the guest knows
 */
struct pmc {
	struct umbra_vcpu *vcpu;
	struct perf_event *event;
	struct task_struct *thread;
	u64 from;
	u64 left;
	u64 offset;
	u64 event_data;
	u32 event_idx;
	u8 idx;
	bool used;
	bool started;
};

/**
 * struct umbra_pmu - the counters of a vCPU
 * @nr_hw: logical counters that are CSRs, time's gap included; 0: the host has
 *	none
 * @nr: all
 * @overflows: bit n: counter n passed 0; set in interrupts
 * @running: bit n: counter n has an event of the host that runs
 * @pmc: the counters
 * @snapshot: gpa of the shared memory, or UMBRA_NO_GPA
 */
struct umbra_pmu {
	unsigned int nr_hw;
	unsigned int nr;
	unsigned long overflows;
	unsigned long running;
	u64 snapshot;
	struct pmc pmc[MAX_COUNTERS];
};

static_assert(BITS_PER_LONG >= MAX_COUNTERS);

static bool is_firmware(const struct pmc *pmc)
{
	return EVENT_TYPE(pmc->event_idx) == SBI_PMU_EVENT_TYPE_FW;
}

static bool can_sample(void)
{
	return umbra_isa_test(umbra_host.isa, KVM_RISCV_ISA_EXT_SSCOFPMF);
}

/* --- the host's events ---------------------------------------------------------------- */

static void note_overflow(struct pmc *pmc)
{
	if (!test_and_set_bit(pmc->idx, &pmc->vcpu->pmu->overflows))
		umbra_vcpu_request(pmc->vcpu, UMBRA_REQ_LCOFI);
}

static void overflowed(struct perf_event *event, struct perf_sample_data *data,
		       struct pt_regs *regs)
{
	note_overflow(event->overflow_handler_context);
}

static int event_config(u32 idx, u64 data, struct perf_event_attr *attr)
{
	u32 code = EVENT_CODE(idx);

	switch (EVENT_TYPE(idx)) {
	case SBI_PMU_EVENT_TYPE_HW:
		/* SBI counts from 1 what perf counts from 0. */
		if (code == SBI_PMU_HW_NO_EVENT || code >= SBI_PMU_HW_GENERAL_MAX)
			return -EINVAL;
		attr->type = PERF_TYPE_HARDWARE;
		attr->config = code - 1;
		return 0;
	case SBI_PMU_EVENT_TYPE_CACHE:
		/* cache << 3 | operation << 1 | result, with perf's numbers. */
		if (code >> 3 >= PERF_COUNT_HW_CACHE_MAX ||
		    (code >> 1 & 3) >= PERF_COUNT_HW_CACHE_OP_MAX)
			return -EINVAL;
		attr->type = PERF_TYPE_HW_CACHE;
		attr->config = code >> 3 | (code >> 1 & 3) << 8 | (code & 1) << 16;
		return 0;
	case SBI_PMU_EVENT_TYPE_RAW:
		attr->type = PERF_TYPE_RAW;
		attr->config = data & RAW_EVENT_MASK;
		return 0;
	}
	return -EINVAL;
}

static void close_event(struct pmc *pmc)
{
	if (pmc->event)
		perf_event_release_kernel(pmc->event);
	pmc->event = NULL;
}

static int open_event(struct pmc *pmc)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.disabled = 1,
		.pinned = 1,
	};
	struct perf_event *event;
	int ret = event_config(pmc->event_idx, pmc->event_data, &attr);

	if (ret)
		return ret;
	if (can_sample()) {
		attr.exclude_kernel = 1;
		attr.exclude_hv = 1;
		attr.sample_period = S64_MAX;
	}
	event = perf_event_create_kernel_counter(&attr, -1, current,
						 can_sample() ? overflowed : NULL, pmc);
	if (IS_ERR(event))
		return PTR_ERR(event);
	pmc->event = event;
	pmc->thread = current;
	return 0;
}

static u64 counted(struct pmc *pmc)
{
	u64 enabled, running;

	return pmc->event ? perf_event_read_value(pmc->event, &enabled, &running) : 0;
}

static u64 pmc_value(struct pmc *pmc)
{
	return pmc->offset + counted(pmc);
}

static void set_value(struct pmc *pmc, u64 val)
{
	pmc->offset += val - pmc_value(pmc);
}

/* Another thread runs the vCPU now: its event is another, the value goes on. */
static int follow_thread(struct pmc *pmc)
{
	u64 val = pmc_value(pmc);

	if (pmc->thread == current)
		return 0;
	close_event(pmc);
	pmc->offset = val;
	return open_event(pmc);
}

static long start_event(struct pmc *pmc)
{
	if (!pmc->event || follow_thread(pmc))
		return SBI_ERR_FAILURE;
	pmc->from = counted(pmc);
	/* perf's periods have 63 bits; more is as good as never. */
	pmc->left = -(pmc->offset + pmc->from);
	if (!pmc->left || pmc->left > S64_MAX)
		pmc->left = S64_MAX;
	if (can_sample()) {
		if (perf_event_period(pmc->event, pmc->left) ||
		    perf_event_refresh(pmc->event, 1))
			return SBI_ERR_FAILURE;
	} else {
		perf_event_enable(pmc->event);
	}
	pmc->vcpu->pmu->running |= BIT(pmc->idx);
	return 0;
}

/* A tick of the host ended the guest: has a counter passed 0 meanwhile? */
void umbra_pmu_tick(struct umbra_vcpu *vcpu)
{
	struct umbra_pmu *pmu = vcpu->pmu;
	int i;

	if (!vcpu->feat.sscofpmf)
		return;
	for_each_set_bit(i, &pmu->running, MAX_COUNTERS)
		if (!test_bit(i, &pmu->overflows) &&
		    counted(&pmu->pmc[i]) - pmu->pmc[i].from >= pmu->pmc[i].left)
			note_overflow(&pmu->pmc[i]);
}

/* --- firmware events ------------------------------------------------------------------- */

void umbra_pmu_firmware_event(struct umbra_vcpu *vcpu, unsigned int code)
{
	struct umbra_pmu *pmu = vcpu->pmu;

	for (unsigned int i = pmu->nr_hw; i < pmu->nr; i++) {
		struct pmc *pmc = &pmu->pmc[i];

		if (pmc->started && EVENT_CODE(pmc->event_idx) == code)
			pmc->offset++;
	}
}

/* --- calls -------------------------------------------------------------------------------- */

/* A set of counters: all must exist (11.5 and on). */
static bool valid_set(const struct umbra_pmu *pmu, u64 base, u64 mask)
{
	return mask && base < pmu->nr && __fls(mask) < pmu->nr - base;
}

static void get_info(struct umbra_pmu *pmu, const u64 *a, struct sbi_ret *ret)
{
	if (a[0] >= pmu->nr || (pmu->nr_hw && a[0] == TIME_COUNTER))
		ret->error = SBI_ERR_INVALID_PARAM;
	else if (a[0] < pmu->nr_hw)
		ret->value = INFO_WIDTH | (VCSR_CYCLE + a[0]);
	else
		ret->value = INFO_WIDTH | INFO_FIRMWARE;
}

/* A free counter of the set for the event, or NULL. */
static struct pmc *choose(struct umbra_pmu *pmu, u64 base, u64 mask, u32 event)
{
	unsigned int from = 3, to = pmu->nr_hw;

	if (EVENT_TYPE(event) == SBI_PMU_EVENT_TYPE_FW) {
		from = pmu->nr_hw;
		to = pmu->nr;
	} else if (event == SBI_PMU_HW_CPU_CYCLES || event == SBI_PMU_HW_INSTRUCTIONS) {
		/* Where Linux looks for them; further ones may be anywhere. */
		unsigned int fixed = event == SBI_PMU_HW_CPU_CYCLES ? 0 : 2;

		if (fixed >= base && (mask & BIT(fixed - base)) && !pmu->pmc[fixed].used)
			return &pmu->pmc[fixed];
	}
	for (unsigned int i = from; i < to; i++)
		if (i >= base && (mask & BIT(i - base)) && !pmu->pmc[i].used)
			return &pmu->pmc[i];
	return NULL;
}

static void config_matching(struct umbra_pmu *pmu, const u64 *a, struct sbi_ret *ret)
{
	u64 base = a[0], mask = a[1], flags = a[2], event = a[3];
	struct pmc *pmc;

	if (!valid_set(pmu, base, mask) || event >> 20) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	if (flags & SBI_PMU_CFG_FLAG_SKIP_MATCH) {
		pmc = &pmu->pmc[base + __ffs(mask)];
		if (!pmc->used) {
			ret->error = SBI_ERR_INVALID_PARAM;
			return;
		}
	} else {
		pmc = choose(pmu, base, mask, event);
		if (!pmc) {
			ret->error = SBI_ERR_NOT_SUPPORTED;
			return;
		}
	}
	if (EVENT_TYPE(event) == SBI_PMU_EVENT_TYPE_FW &&
	    (EVENT_CODE(event) >= SBI_PMU_FW_MAX || pmc->idx < pmu->nr_hw)) {
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	pmc->offset = flags & SBI_PMU_CFG_FLAG_CLEAR_VALUE ? 0 : pmc_value(pmc);
	close_event(pmc);
	pmc->started = false;
	pmu->running &= ~BIT(pmc->idx);
	pmc->event_idx = event;
	pmc->event_data = a[4];
	clear_bit(pmc->idx, &pmu->overflows);
	if (!is_firmware(pmc) && (pmc->idx >= pmu->nr_hw || open_event(pmc))) {
		pmc->used = false;
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	pmc->used = true;
	if (flags & SBI_PMU_CFG_FLAG_AUTO_START) {
		pmc->started = true;
		if (!is_firmware(pmc))
			ret->error = start_event(pmc);
	}
	ret->value = pmc->idx;
}

/* What start and stop check first: the set of counters, and the snapshot if asked. */
static long check_set(const struct umbra_pmu *pmu, u64 base, u64 mask, bool snapshot)
{
	if (!valid_set(pmu, base, mask))
		return SBI_ERR_INVALID_PARAM;
	if (snapshot && pmu->snapshot == UMBRA_NO_GPA)
		return SBI_ERR_NO_SHMEM;
	return 0;
}

static void start(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	struct umbra_pmu *pmu = vcpu->pmu;
	u64 base = a[0], mask = a[1], flags = a[2];
	int i;

	ret->error = check_set(pmu, base, mask, flags & SBI_PMU_START_FLAG_INIT_SNAPSHOT);
	if (ret->error)
		return;
	for_each_set_bit(i, (unsigned long *)&mask, MAX_COUNTERS) {
		struct pmc *pmc = &pmu->pmc[base + i];
		u64 val = a[3];
		long error = 0;

		if (!pmc->used)
			continue;
		if (pmc->started) {
			ret->error = SBI_ERR_ALREADY_STARTED;
			continue;
		}
		if (flags & SBI_PMU_START_FLAG_SET_INIT_VALUE)
			set_value(pmc, val);
		else if ((flags & SBI_PMU_START_FLAG_INIT_SNAPSHOT) &&
			 !umbra_gpa_read(vcpu->vm, pmu->snapshot + SNAP_VALUE(i), &val,
					 sizeof(val)))
			set_value(pmc, val);
		clear_bit(pmc->idx, &pmu->overflows);
		if (!is_firmware(pmc))
			error = start_event(pmc);
		if (error)
			ret->error = error;
		else
			pmc->started = true;
	}
}

/* Values and overflows of a set that was just stopped, for the guest. */
static void take_snapshot(struct umbra_vcpu *vcpu, u64 base, unsigned long mask)
{
	struct umbra_pmu *pmu = vcpu->pmu;
	u64 gpa = pmu->snapshot, overflows = 0;
	int i;

	if (umbra_gpa_read(vcpu->vm, gpa + SNAP_OVERFLOWS, &overflows, sizeof(overflows)))
		return;
	overflows &= ~mask;
	for_each_set_bit(i, &mask, MAX_COUNTERS) {
		struct pmc *pmc = &pmu->pmc[base + i];
		u64 val;

		if (!pmc->used)
			continue;
		val = pmc_value(pmc);
		if (test_bit(pmc->idx, &pmu->overflows))
			overflows |= BIT(i);
		umbra_gpa_write(vcpu->vm, gpa + SNAP_VALUE(i), &val, sizeof(val));
	}
	umbra_gpa_write(vcpu->vm, gpa + SNAP_OVERFLOWS, &overflows, sizeof(overflows));
}

static void stop(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	struct umbra_pmu *pmu = vcpu->pmu;
	u64 base = a[0], mask = a[1], flags = a[2];
	int i;

	ret->error = check_set(pmu, base, mask, flags & SBI_PMU_STOP_FLAG_TAKE_SNAPSHOT);
	if (ret->error)
		return;
	for_each_set_bit(i, (unsigned long *)&mask, MAX_COUNTERS) {
		struct pmc *pmc = &pmu->pmc[base + i];

		if (!pmc->used)
			continue;
		if (!pmc->started)
			ret->error = SBI_ERR_ALREADY_STOPPED;
		pmc->started = false;
		pmu->running &= ~BIT(pmc->idx);
		if (pmc->event)
			perf_event_disable(pmc->event);
	}
	if (flags & SBI_PMU_STOP_FLAG_TAKE_SNAPSHOT)
		take_snapshot(vcpu, base, mask);
	if (!(flags & SBI_PMU_STOP_FLAG_RESET))
		return;
	for_each_set_bit(i, (unsigned long *)&mask, MAX_COUNTERS) {
		struct pmc *pmc = &pmu->pmc[base + i];

		pmc->offset = pmc_value(pmc);
		close_event(pmc);
		pmc->used = false;
		clear_bit(pmc->idx, &pmu->overflows);
	}
}

static long set_snapshot(struct umbra_vcpu *vcpu, u64 lo, u64 hi, u64 flags)
{
	static const u8 zero[SNAP_SIZE];

	if (flags)
		return SBI_ERR_INVALID_PARAM;
	if (lo == UMBRA_SBI_SHMEM_DISABLE && hi == UMBRA_SBI_SHMEM_DISABLE) {
		vcpu->pmu->snapshot = UMBRA_NO_GPA;
		return 0;
	}
	if (lo % SNAP_SIZE)
		return SBI_ERR_INVALID_PARAM;
	if (hi || umbra_gpa_write(vcpu->vm, lo, zero, sizeof(zero)))
		return SBI_ERR_INVALID_ADDRESS;
	vcpu->pmu->snapshot = lo;
	return 0;
}

static void firmware_read(struct umbra_pmu *pmu, u64 idx, struct sbi_ret *ret)
{
	if (idx < pmu->nr_hw || idx >= pmu->nr)
		ret->error = SBI_ERR_INVALID_PARAM;
	else
		ret->value = pmu->pmc[idx].offset;
}

void umbra_pmu_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	struct umbra_pmu *pmu = vcpu->pmu;

	switch (a[6]) {
	case SBI_EXT_PMU_NUM_COUNTERS:
		ret->value = pmu->nr;
		break;
	case SBI_EXT_PMU_COUNTER_GET_INFO:
		get_info(pmu, a, ret);
		break;
	case SBI_EXT_PMU_COUNTER_CFG_MATCH:
		config_matching(pmu, a, ret);
		break;
	case SBI_EXT_PMU_COUNTER_START:
		start(vcpu, a, ret);
		break;
	case SBI_EXT_PMU_COUNTER_STOP:
		stop(vcpu, a, ret);
		break;
	case SBI_EXT_PMU_COUNTER_FW_READ:
		firmware_read(pmu, a[0], ret);
		break;
	case SBI_EXT_PMU_COUNTER_FW_READ_HI:
		/* The upper half of what RV32 cannot read at once: always 0 here. */
		break;
	case SBI_EXT_PMU_SNAPSHOT_SET_SHMEM:
		ret->error = set_snapshot(vcpu, a[0], a[1], a[2]);
		break;
	default:
		ret->error = SBI_ERR_NOT_SUPPORTED;
	}
}

/* --- CSRs ------------------------------------------------------------------------------------ */

/**
 * umbra_pmu_read() - a guest reads cycle, instret, an hpmcounter or scountovf
 * @vcpu: the vCPU; it may read the CSR at its privilege
 * @csr: its number
 * @val: the value
 *
 * As with KVM a counter exists once SBI has configured it.
 * Return: true; false where the read is illegal.
 */
bool umbra_pmu_read(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	struct umbra_pmu *pmu = vcpu->pmu;
	unsigned int idx = csr - VCSR_CYCLE;

	if (csr == VCSR_SCOUNTOVF) {
		*val = READ_ONCE(pmu->overflows) & GENMASK(MAX_HW - 1, 3);
		return vcpu->feat.sscofpmf;
	}
	if (!pmu->nr_hw || !(vcpu->sbi_ext & BIT(KVM_RISCV_SBI_EXT_PMU))) {
		/* Nothing counts: monotonic, inexact. */
		*val = csr == VCSR_CYCLE || csr == VCSR_INSTRET ? umbra_guest_time(vcpu) : 0;
		return true;
	}
	if (idx >= pmu->nr_hw || !pmu->pmc[idx].used)
		return false;
	*val = pmc_value(&pmu->pmc[idx]);
	return true;
}

/* --- life ------------------------------------------------------------------------------ */

int umbra_pmu_create(struct umbra_vcpu *vcpu)
{
	struct umbra_pmu *pmu = kzalloc(sizeof(*pmu), GFP_KERNEL_ACCOUNT);
	u32 width, nr;

	if (!pmu)
		return -ENOMEM;
	/* One more, for time's gap. */
	if (!riscv_pmu_get_hpm_info(&width, &nr) && nr)
		pmu->nr_hw = min_t(u32, nr + 1, MAX_HW);
	pmu->nr = pmu->nr_hw + SBI_PMU_FW_MAX;
	pmu->snapshot = UMBRA_NO_GPA;
	for (int i = 0; i < MAX_COUNTERS; i++) {
		pmu->pmc[i].vcpu = vcpu;
		pmu->pmc[i].idx = i;
	}
	vcpu->pmu = pmu;
	return 0;
}

void umbra_pmu_destroy(struct umbra_vcpu *vcpu)
{
	for (int i = 0; vcpu->pmu && i < MAX_COUNTERS; i++)
		close_event(&vcpu->pmu->pmc[i]);
	kfree(vcpu->pmu);
}
