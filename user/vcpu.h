/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vCPUs: registers, the thread that runs each of them, and what an exit means.
 */
#ifndef UMBRA_USER_VCPU_H
#define UMBRA_USER_VCPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "console.h"
#include "machine.h"
#include "memory.h"
#include "mmio.h"

struct kvm_run;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;		/* = hart id */
	int fd;				/* -1: not made */
	int stats_fd;			/* open for `umbra stats`, too; -1 */
	struct kvm_run *run;		/* NULL: not mapped */
	size_t run_size;
	bool started;			/* thread is to be joined */
	pthread_t thread;
	atomic_bool show_registers;	/* asked for by the console */
};

/* How a guest ended. */
enum vm_end {
	VM_RUNNING,
	VM_POWEROFF,		/* code: SBI's reason, 0 when all is well */
	VM_FAILED,		/* code: what the finisher was told */
	VM_RESET,
	VM_DIED,		/* report says why */
	VM_STOPPED,		/* by us: escape key, signal */
};

#define VM_REPORT_SIZE	8192

/* What vCPU threads share; the first vm_end() wins. */
struct vm {
	int kvm_fd;
	int vm_fd;
	struct guest_ram ram;
	struct mmio_map mmio;	/* constant once vCPUs run */
	struct console *console;
	bool want_registers;	/* --registers */

	unsigned int nr_vcpus;
	struct vcpu *vcpus;

	atomic_bool stopping;
	pthread_mutex_t lock;	/* guards what follows */
	enum vm_end end;
	u64 code;
	char report[VM_REPORT_SIZE];
};

/* Make vCPU @id; a status, said. */
int vcpu_create(struct vcpu *v, struct vm *vm, unsigned int id,
		size_t run_size);
void vcpu_destroy(struct vcpu *v);

/*
 * The guest's MMU mode: set to @wanted (0: leave the default), then read into
 * @mode (0: the module does not say).  Before the first run; a status, said.
 */
int vcpu_mmu_mode(struct vcpu *v, unsigned int wanted, unsigned int *mode);

/* What the guest's device tree says of its harts; a status, said. */
int vcpu_get_isa(struct vcpu *v, struct isa *isa);
int vcpu_get_timebase(struct vcpu *v, u64 *hz);

/*
 * Reset state, in S-mode: hart 0 enters at @entry with a0 = 0 and a1 = @dtb; the
 * others wait for the guest to start them by SBI HSM.  A status, said.
 */
int vcpu_reset(struct vcpu *v, u64 entry, u64 dtb);

/* Reset state, in M-mode: every hart starts at @entry.  A status, said. */
int vcpu_reset_machine(struct vcpu *v, u64 entry);

/* Start the thread; a status, said. */
int vcpu_start(struct vcpu *v);

/*
 * End all threads and wait for them.  Return: 0, or a status, said, when one
 * does not come back: its vCPU is then still in the kernel.
 */
int vcpus_stop(struct vm *vm);

/* Have each vCPU print its registers on standard error. */
void vcpus_show_registers(struct vm *vm);

#endif /* UMBRA_USER_VCPU_H */
