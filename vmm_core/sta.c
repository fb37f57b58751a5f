// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time: how long a vCPU's thread was ready and did not run, told to the
 * guest in memory of its own (SBI specification, chapter 16, STA).
 *
 * The guest names 64 bytes; from then on they are brought up to date whenever
 * the thread comes back to a CPU, before the guest goes on.
 */
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <asm/kvm.h>

#include "sbi.h"

#define STA_SIZE	64
#define STA_SEQUENCE	0	/* u32; odd while the rest changes */
#define STA_STEAL	8	/* u64, nanoseconds */

bool umbra_sta_exists(void)
{
	return sched_info_on();
}

static u64 run_delay(void)
{
	return READ_ONCE(current->sched_info.run_delay);
}

/*
 * The thread was away, or may have been.  A guest that has taken the memory
 * away since gets nothing written, and is not told.
 */
void umbra_sta_update(struct umbra_vcpu *vcpu)
{
	u64 gpa = vcpu->sta_gpa, now, steal;
	u32 seq;

	if (gpa == UMBRA_NO_GPA)
		return;
	if (umbra_gpa_read(vcpu->vm, gpa + STA_SEQUENCE, &seq, sizeof(seq)) ||
	    umbra_gpa_read(vcpu->vm, gpa + STA_STEAL, &steal, sizeof(steal)))
		return;
	now = run_delay();
	/* Another thread than the last time: nothing is known to be stolen. */
	if (vcpu->sta_thread == current)
		steal += now - vcpu->sta_delay;
	vcpu->sta_thread = current;
	vcpu->sta_delay = now;
	seq |= 1;
	umbra_gpa_write(vcpu->vm, gpa + STA_SEQUENCE, &seq, sizeof(seq));
	smp_wmb();	/* odd, the time, even: the guest's reader relies on it */
	umbra_gpa_write(vcpu->vm, gpa + STA_STEAL, &steal, sizeof(steal));
	smp_wmb();	/* the same */
	seq++;
	umbra_gpa_write(vcpu->vm, gpa + STA_SEQUENCE, &seq, sizeof(seq));
}

static long set_shmem(struct umbra_vcpu *vcpu, u64 lo, u64 hi, u64 flags)
{
	static const u8 zero[STA_SIZE];

	if (flags)
		return SBI_ERR_INVALID_PARAM;
	if (lo == UMBRA_SBI_SHMEM_DISABLE && hi == UMBRA_SBI_SHMEM_DISABLE) {
		vcpu->sta_gpa = UMBRA_NO_GPA;
		return 0;
	}
	if (lo % STA_SIZE)
		return SBI_ERR_INVALID_PARAM;
	if (hi || umbra_gpa_write(vcpu->vm, lo, zero, sizeof(zero)))
		return SBI_ERR_INVALID_ADDRESS;
	vcpu->sta_gpa = lo;
	vcpu->sta_thread = current;
	vcpu->sta_delay = run_delay();
	return 0;
}

void umbra_sta_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret)
{
	if (a[6] == 0)
		ret->error = set_shmem(vcpu, a[0], a[1], (u32)a[2]);
	else
		ret->error = SBI_ERR_NOT_SUPPORTED;
}

/* KVM_REG_RISCV_SBI_STA: where the memory is, in two halves. */
int umbra_sta_reg(struct umbra_vcpu *vcpu, u64 num, u64 *val, bool set)
{
	switch (num) {
	case KVM_REG_RISCV_SBI_STA_REG(shmem_lo):
		if (set) {
			if (*val != UMBRA_NO_GPA && *val % STA_SIZE)
				return -EINVAL;
			vcpu->sta_gpa = *val;
			vcpu->sta_thread = NULL;
		}
		*val = vcpu->sta_gpa;
		return 0;
	case KVM_REG_RISCV_SBI_STA_REG(shmem_hi):
		if (set && *val)
			return -EINVAL;
		*val = 0;
		return 0;
	}
	return -EINVAL;
}
