// SPDX-License-Identifier: GPL-2.0
/*
 * SBI calls of a guest that starts in S-mode: Umbra is its firmware (RISC-V
 * SBI specification 2.0).
 *
 * Called by the run loop for an ecall from vS.  A row of the table below is an
 * extension; what KVM leaves to user space (consoles, vendor extensions)
 * leaves here as KVM_EXIT_RISCV_SBI too.
 *
 * A remote fence is complete once each target has left the guest with the
 * fence in its queue: it cannot run guest code again before it took it.
 */
#include <linux/delay.h>

#include "sbi.h"
#include "trace.h"

/* Spec version 2.0, in the format of sbi_get_spec_version. */
#define SPEC_VERSION	0x02000000
#define IMPL_VERSION	0x00010000

#define EXT_BASE	0x10
#define EXT_TIME	0x54494d45
#define EXT_IPI		0x735049
#define EXT_RFENCE	0x52464e43
#define EXT_HSM		0x48534d
#define EXT_SRST	0x53525354
#define EXT_PMU		0x504d55
#define EXT_DBCN	0x4442434e
#define EXT_STA		0x535441
#define EXT_SUSP	0x53555350

#define HSM_STATE_STARTED		0
#define HSM_STATE_STOPPED		1
#define HSM_STATE_START_PENDING		2
#define HSM_STATE_SUSPENDED		4
#define HSM_SUSPEND_RETENTIVE		0
#define HSM_SUSPEND_NON_RETENTIVE	0x80000000

/* A remote fence of more pages than this fences everything. */
#define FENCE_PAGES_MAX	64

typedef void (*sbi_fn)(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret);

/* --- hart masks ------------------------------------------------------------------ */

static bool hart_exists(struct umbra_vm *vm, u64 base, int bit)
{
	return base + bit >= base && base + bit < UMBRA_MAX_VCPUS &&
	       umbra_vm_vcpu(vm, base + bit);
}

typedef void (*hart_fn)(struct umbra_vcpu *to, void *arg);

/* Calls fn for each hart of the mask; false when one does not exist. */
static bool call_harts(struct umbra_vcpu *vcpu, u64 mask, u64 base, hart_fn fn, void *arg)
{
	struct umbra_vm *vm = vcpu->vm;

	if (base == ~0ULL) {
		for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++)
			fn(vm->vcpu_list[i], arg);
		return true;
	}
	/* All or nothing: first see that each exists. */
	for (int bit = 0; bit < 64; bit++)
		if ((mask & BIT(bit)) && !hart_exists(vm, base, bit))
			return false;
	for (int bit = 0; bit < 64; bit++)
		if (mask & BIT(bit))
			fn(umbra_vm_vcpu(vm, base + bit), arg);
	return true;
}

static void raise_ssip(struct umbra_vcpu *to, void *arg)
{
	umbra_vcpu_request(to, UMBRA_REQ_SSIP);
}

static void raise_fence_i(struct umbra_vcpu *to, void *arg)
{
	set_bit(UMBRA_REQ_FENCE_I, &to->requests);
	umbra_vcpu_kick_wait(to);
}

static void queue_fence(struct umbra_vcpu *to, void *arg)
{
	const struct umbra_fence *fence = arg;

	spin_lock(&to->fence_lock);
	if (to->nr_fences < UMBRA_FENCES) {
		to->fences[to->nr_fences++] = *fence;
	} else {
		/* No room: one fence of everything stands for all. */
		to->nr_fences = 1;
		to->fences[0] = (struct umbra_fence) {};
	}
	spin_unlock(&to->fence_lock);
	set_bit(UMBRA_REQ_FENCE, &to->requests);
	umbra_vcpu_kick_wait(to);
}

void umbra_sbi_run_fences(struct umbra_vcpu *vcpu)
{
	struct umbra_fence list[UMBRA_FENCES];
	unsigned int nr;

	spin_lock(&vcpu->fence_lock);
	nr = vcpu->nr_fences;
	memcpy(list, vcpu->fences, nr * sizeof(list[0]));
	vcpu->nr_fences = 0;
	spin_unlock(&vcpu->fence_lock);

	for (unsigned int i = 0; i < nr; i++) {
		const struct umbra_fence *f = &list[i];

		umbra_pmu_firmware_event(vcpu, f->has_asid ? SBI_PMU_FW_SFENCE_VMA_ASID_RCVD :
					 SBI_PMU_FW_SFENCE_VMA_RCVD);
		if (!f->size) {
			umbra_mmu_fence(vcpu, true, 0, !f->has_asid, f->asid);
			continue;
		}
		for (u64 off = 0; off < f->size; off += PAGE_SIZE)
			umbra_mmu_fence(vcpu, false, f->start + off,
					!f->has_asid, f->asid);
	}
}

static bool remote_fence(struct umbra_vcpu *vcpu, u64 mask, u64 base, u64 start,
			 u64 size, bool has_asid, u64 asid)
{
	struct umbra_fence fence = { .has_asid = has_asid, .asid = asid };
	u64 first = start & PAGE_MASK;

	/* 0, 0 and 0, -1 mean everything; so do ranges that wrap or are long. */
	if (size && start + size > start &&
	    size <= FENCE_PAGES_MAX * PAGE_SIZE) {
		fence.start = first;
		fence.size = PAGE_ALIGN(start + size) - first;
	}
	return call_harts(vcpu, mask, base, queue_fence, &fence);
}

/* --- extensions ------------------------------------------------------------------- */

static bool ext_available(struct umbra_vcpu *vcpu, u64 id);

static void base_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	switch (a[6]) {
	case 0:
		ret->value = SPEC_VERSION;
		break;
	case 1:
		ret->value = UMBRA_SBI_IMPL_ID;
		break;
	case 2:
		ret->value = IMPL_VERSION;
		break;
	case 3:
		ret->value = ext_available(vcpu, a[0]);
		break;
	case 4:
		ret->value = umbra_host.mvendorid;
		break;
	case 5:
		ret->value = umbra_host.marchid;
		break;
	case 6:
		ret->value = umbra_host.mimpid;
		break;
	default:
		ret->error = SBI_ERR_NOT_SUPPORTED;
	}
}

static void time_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	if (a[6] != 0) {
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	umbra_pmu_firmware_event(vcpu, SBI_PMU_FW_SET_TIMER);
	vcpu->cpu->stimecmp = a[0];
	umbra_timer_update(vcpu);
}

static void ipi_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	if (a[6] != 0)
		ret->error = SBI_ERR_NOT_SUPPORTED;
	else if (!call_harts(vcpu, a[0], a[1], raise_ssip, NULL))
		ret->error = SBI_ERR_INVALID_PARAM;
	else
		umbra_pmu_firmware_event(vcpu, SBI_PMU_FW_IPI_SENT);
}

static void rfence_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	static const u8 events[] = {
		SBI_PMU_FW_FENCE_I_SENT, SBI_PMU_FW_SFENCE_VMA_SENT,
		SBI_PMU_FW_SFENCE_VMA_ASID_SENT,
	};
	bool ok;

	switch (a[6]) {
	case 0:
		ok = call_harts(vcpu, a[0], a[1], raise_fence_i, NULL);
		break;
	case 1:
		ok = remote_fence(vcpu, a[0], a[1], a[2], a[3], false, 0);
		break;
	case 2:
		ok = remote_fence(vcpu, a[0], a[1], a[2], a[3], true, a[4]);
		break;
	default:
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	if (ok)
		umbra_pmu_firmware_event(vcpu, events[a[6]]);
	else
		ret->error = SBI_ERR_INVALID_PARAM;
}

static long hsm_start(struct umbra_vcpu *vcpu, const u64 *a)
{
	struct umbra_vcpu *to;
	long error = 0;

	to = a[0] < UMBRA_MAX_VCPUS ? umbra_vm_vcpu(vcpu->vm, a[0]) : NULL;
	if (!to)
		return SBI_ERR_INVALID_PARAM;
	/* The address must be one the hart can fetch from. */
	if (!umbra_gpa_is_memory(vcpu->vm, a[1]) || (a[1] & 1))
		return SBI_ERR_INVALID_ADDRESS;
	spin_lock(&to->hsm_lock);
	if (to->hsm == UMBRA_HSM_STOPPED) {
		to->start_pc = a[1];
		to->start_opaque = a[2];
		WRITE_ONCE(to->hsm, UMBRA_HSM_START_PENDING);
	} else {
		error = SBI_ERR_ALREADY_AVAILABLE;
	}
	spin_unlock(&to->hsm_lock);
	if (!error)
		umbra_vcpu_kick(to);
	return error;
}

static void hsm_status(struct umbra_vcpu *vcpu, u64 hart, struct sbi_ret *ret)
{
	struct umbra_vcpu *of;

	of = hart < UMBRA_MAX_VCPUS ? umbra_vm_vcpu(vcpu->vm, hart) : NULL;
	if (!of) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	switch (READ_ONCE(of->hsm)) {
	case UMBRA_HSM_STARTED:
		ret->value = HSM_STATE_STARTED;
		break;
	case UMBRA_HSM_STOPPED:
		ret->value = HSM_STATE_STOPPED;
		break;
	case UMBRA_HSM_START_PENDING:
		ret->value = HSM_STATE_START_PENDING;
		break;
	case UMBRA_HSM_SUSPENDED:
		ret->value = HSM_STATE_SUSPENDED;
		break;
	}
}

static void hsm_suspend(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	u32 type = a[0];

	if (a[0] >> 32 || (type != HSM_SUSPEND_RETENTIVE &&
			   type != HSM_SUSPEND_NON_RETENTIVE)) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	if (type == HSM_SUSPEND_NON_RETENTIVE &&
	    (!umbra_gpa_is_memory(vcpu->vm, a[1]) || (a[1] & 1))) {
		ret->error = SBI_ERR_INVALID_ADDRESS;
		return;
	}
	WRITE_ONCE(vcpu->hsm, UMBRA_HSM_SUSPENDED);
	umbra_vcpu_halt(vcpu);
	WRITE_ONCE(vcpu->hsm, UMBRA_HSM_STARTED);
	if (type == HSM_SUSPEND_NON_RETENTIVE) {
		vcpu->start_pc = a[1];
		vcpu->start_opaque = a[2];
		umbra_vcpu_reset(vcpu);
		ret->jump = true;
	}
}

static void hsm_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	switch (a[6]) {
	case 0:
		ret->error = hsm_start(vcpu, a);
		break;
	case 1:
		WRITE_ONCE(vcpu->hsm, UMBRA_HSM_STOPPED);
		ret->jump = true;
		break;
	case 2:
		hsm_status(vcpu, a[0], ret);
		break;
	case 3:
		hsm_suspend(vcpu, a, ret);
		break;
	default:
		ret->error = SBI_ERR_NOT_SUPPORTED;
	}
}

void umbra_sbi_start(struct umbra_vcpu *vcpu)
{
	spin_lock(&vcpu->hsm_lock);
	if (vcpu->hsm == UMBRA_HSM_START_PENDING) {
		umbra_vcpu_reset(vcpu);
		WRITE_ONCE(vcpu->hsm, UMBRA_HSM_STARTED);
	}
	spin_unlock(&vcpu->hsm_lock);
}

static void srst_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	u32 type = a[0], reason = a[1];

	if (a[6] != 0) {
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	if (a[0] >> 32 || a[1] >> 32 || type > 2 || reason > 1) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	umbra_vm_system_event(vcpu->vm, type ? KVM_SYSTEM_EVENT_RESET :
			      KVM_SYSTEM_EVENT_SHUTDOWN, reason);
	/* The call does not return. */
	ret->jump = true;
}

static void to_user(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_RISCV_SBI;
	run->riscv_sbi.extension_id = a[7];
	run->riscv_sbi.function_id = a[6];
	for (int i = 0; i < 6; i++)
		run->riscv_sbi.args[i] = a[i];
	run->riscv_sbi.ret[0] = SBI_ERR_NOT_SUPPORTED;
	run->riscv_sbi.ret[1] = 0;
	vcpu->io.kind = UMBRA_IO_SBI;
	ret->user = true;
}

static void dbcn_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	if (a[6] > 2) {
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	/* Reads and writes: the whole buffer must be memory. */
	if (a[6] < 2 && a[0] && !umbra_gpa_range_is_memory(vcpu->vm, a[1], a[2], a[0])) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	to_user(vcpu, a, ret);
}

/*
 * System suspend (chapter 13): user space suspends, and when it says that it
 * did, the hart goes on at the resume address.  See umbra_complete_sbi().
 */
static void susp_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	struct umbra_vm *vm = vcpu->vm;

	if (a[6] != 0) {
		ret->error = SBI_ERR_NOT_SUPPORTED;
		return;
	}
	/* Suspend to RAM. */
	if ((u32)a[0] != 0) {
		ret->error = SBI_ERR_INVALID_PARAM;
		return;
	}
	if (!umbra_gpa_is_memory(vm, a[1]) || (a[1] & 1)) {
		ret->error = SBI_ERR_INVALID_ADDRESS;
		return;
	}
	for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++) {
		if (vm->vcpu_list[i] != vcpu &&
		    READ_ONCE(vm->vcpu_list[i]->hsm) != UMBRA_HSM_STOPPED) {
			ret->error = SBI_ERR_DENIED;
			return;
		}
	}
	to_user(vcpu, a, ret);
}

/* Legacy calls return one value in a0 and leave a1 alone (chapter 5). */

/* The mask's address is virtual; 0 means all harts. */
static bool legacy_mask(struct umbra_vcpu *vcpu, u64 va, u64 *mask, u64 *base)
{
	struct umbra_fault_info info = {
		.gva = va, .access = UMBRA_ACCESS_READ,
	};

	*base = ~0ULL;
	if (!va)
		return true;
	*base = 0;
	if (va & 7)
		return false;
	return umbra_mmu_translate(vcpu, &info) == UMBRA_FAULT_DONE &&
	       !umbra_gpa_read(vcpu->vm, info.gpa, mask, sizeof(*mask));
}

static void legacy_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	u64 mask = 0, base = 0;

	switch (a[7]) {
	case 0:
		vcpu->cpu->stimecmp = a[0];
		umbra_timer_update(vcpu);
		return;
	case 1:
	case 2:
		to_user(vcpu, a, ret);
		return;
	case 3:
		clear_bit(UMBRA_REQ_SSIP, &vcpu->requests);
		vcpu->cpu->sip &= ~V_SSI;
		return;
	case 8:
		umbra_vm_system_event(vcpu->vm, KVM_SYSTEM_EVENT_SHUTDOWN, 0);
		ret->jump = true;
		return;
	}
	if (!legacy_mask(vcpu, a[0], &mask, &base)) {
		ret->error = SBI_ERR_INVALID_ADDRESS;
		return;
	}
	switch (a[7]) {
	case 4:
		call_harts(vcpu, mask, base, raise_ssip, NULL);
		break;
	case 5:
		call_harts(vcpu, mask, base, raise_fence_i, NULL);
		break;
	case 6:
		remote_fence(vcpu, mask, base, a[1], a[2], false, 0);
		break;
	case 7:
		remote_fence(vcpu, mask, base, a[1], a[2], true, a[3]);
		break;
	}
}

/**
 * struct sbi_ext - a row of the table of extensions
 * @first: first extension id
 * @last: last one
 * @kvm_id: bit in vcpu->sbi_ext that offers it; -1: always there
 * @fn: serves it
 */
struct sbi_ext {
	u64 first;
	u64 last;
	int kvm_id;
	sbi_fn fn;
};

static const struct sbi_ext extensions[] = {
	{ 0, 8, KVM_RISCV_SBI_EXT_V01, legacy_call },
	{ EXT_BASE, EXT_BASE, -1, base_call },
	{ EXT_TIME, EXT_TIME, KVM_RISCV_SBI_EXT_TIME, time_call },
	{ EXT_IPI, EXT_IPI, KVM_RISCV_SBI_EXT_IPI, ipi_call },
	{ EXT_RFENCE, EXT_RFENCE, KVM_RISCV_SBI_EXT_RFENCE, rfence_call },
	{ EXT_HSM, EXT_HSM, KVM_RISCV_SBI_EXT_HSM, hsm_call },
	{ EXT_SRST, EXT_SRST, KVM_RISCV_SBI_EXT_SRST, srst_call },
	{ EXT_PMU, EXT_PMU, KVM_RISCV_SBI_EXT_PMU, umbra_pmu_call },
	{ EXT_DBCN, EXT_DBCN, KVM_RISCV_SBI_EXT_DBCN, dbcn_call },
	{ EXT_STA, EXT_STA, KVM_RISCV_SBI_EXT_STA, umbra_sta_call },
	{ EXT_SUSP, EXT_SUSP, UMBRA_SBI_EXT_SUSP, susp_call },
	{ 0x08000000, 0x08ffffff, KVM_RISCV_SBI_EXT_EXPERIMENTAL, to_user },
	{ 0x09000000, 0x09ffffff, KVM_RISCV_SBI_EXT_VENDOR, to_user },
};

static const struct sbi_ext *find_ext(u64 id)
{
	for (int i = 0; i < ARRAY_SIZE(extensions); i++)
		if (id >= extensions[i].first && id <= extensions[i].last)
			return &extensions[i];
	return NULL;
}

static bool ext_available(struct umbra_vcpu *vcpu, u64 id)
{
	const struct sbi_ext *ext = find_ext(id);

	return ext && (ext->kvm_id < 0 || (vcpu->sbi_ext & BIT(ext->kvm_id)));
}

/* All that exist; what user space serves is off until it says so. */
u64 umbra_sbi_known(void)
{
	u64 mask = 0;

	for (int i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].kvm_id >= 0)
			mask |= BIT(extensions[i].kvm_id);
	if (!umbra_sta_exists())
		mask &= ~BIT(KVM_RISCV_SBI_EXT_STA);
	return mask;
}

u64 umbra_sbi_default(void)
{
	return umbra_sbi_known() & ~(BIT(KVM_RISCV_SBI_EXT_DBCN) |
				     BIT(UMBRA_SBI_EXT_SUSP));
}

static void set_result(struct umbra_vcpu *vcpu, bool legacy, u64 error, u64 value)
{
	vcpu->cpu->gpr[10] = error;
	if (!legacy)
		vcpu->cpu->gpr[11] = value;
	vcpu->cpu->pc += 4;
}

static bool is_legacy(u64 id)
{
	return id <= 8;
}

int umbra_sbi_call(struct umbra_vcpu *vcpu)
{
	const u64 *a = &vcpu->cpu->gpr[10];
	u64 id = vcpu->cpu->gpr[17];
	struct sbi_ret ret = {};

	umbra_count(vcpu, UMBRA_STAT_SBI);
	if (!ext_available(vcpu, id))
		ret.error = SBI_ERR_NOT_SUPPORTED;
	else
		find_ext(id)->fn(vcpu, a, &ret);
	if (ret.user)
		return 0;
	if (!ret.jump)
		set_result(vcpu, is_legacy(id), ret.error, ret.value);
	return UMBRA_RESUME;
}

int umbra_complete_sbi(struct umbra_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	vcpu->io.kind = UMBRA_IO_NONE;
	if (run->riscv_sbi.extension_id == EXT_SUSP && !run->riscv_sbi.ret[0]) {
		vcpu->start_pc = vcpu->cpu->gpr[11];
		vcpu->start_opaque = vcpu->cpu->gpr[12];
		umbra_vcpu_reset(vcpu);
		return UMBRA_RESUME;
	}
	set_result(vcpu, is_legacy(run->riscv_sbi.extension_id),
		   run->riscv_sbi.ret[0], run->riscv_sbi.ret[1]);
	return UMBRA_RESUME;
}
