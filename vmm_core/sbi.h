/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that serve SBI extensions share: sbi.c has the table and the
 * small ones, sta.c and pmu.c one each.
 *
 * All run in the vCPU's thread, in KVM_RUN, and may sleep.
 */
#ifndef UMBRA_SBI_H
#define UMBRA_SBI_H

#include <asm/sbi.h>

#include "vmm.h"

/* Both halves of a shared memory's address: none. */
#define UMBRA_SBI_SHMEM_DISABLE		(~0ULL)

/**
 * struct sbi_ret - what a call returns
 * @error: a0, SBI_SUCCESS or SBI_ERR_*
 * @value: a1
 * @user: leaves for user space, which sets both
 * @jump: the hart's registers were replaced, nothing is returned
 */
struct sbi_ret {
	long error;
	unsigned long value;
	bool user;
	bool jump;
};

/* Serve a call: @a are a0 to a7, @ret is all zero and to be filled in. */
void umbra_pmu_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret);
void umbra_sta_call(struct umbra_vcpu *vcpu, const u64 *a, struct sbi_ret *ret);

#endif /* UMBRA_SBI_H */
