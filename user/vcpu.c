// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs; see vcpu.h.
 *
 * A thread per vCPU does nothing but KVM_RUN and answer the few exits that
 * reach user space: the SBI console, the seed CSR, devices of the launcher's own,
 * the machine's end.
 *
 * Stopping: vm->stopping is set, then kvm_run.immediate_exit, then the thread
 * gets SIGUSR1.  Wherever the signal finds it, the next or current KVM_RUN
 * returns EINTR, and the flag is looked at before each KVM_RUN: none is lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../uapi/umbra.h"
#include "kvm.h"
#include "trap.h"
#include "vcpu.h"

/* isa.h repeats numbers of the ABI: they have to agree where we can see. */
#define SAME_ID(name) \
	_Static_assert((int)ISA_EXT_##name == (int)KVM_RISCV_ISA_EXT_##name, \
		       "isa.h and asm/kvm.h disagree on " #name)
SAME_ID(A);
SAME_ID(H);
SAME_ID(I);
SAME_ID(SSTC);
SAME_ID(ZICBOM);
SAME_ID(ZICBOZ);
SAME_ID(ZAWRS);
#undef SAME_ID

#define KICK_SIGNAL	SIGUSR1
#define STOP_SECONDS	10

#define SBI_EXT_0_1_CONSOLE_PUTCHAR	0x1
#define SBI_EXT_0_1_CONSOLE_GETCHAR	0x2
#define SBI_EXT_DBCN			0x4442434e
#define SBI_DBCN_WRITE			0
#define SBI_DBCN_READ			1
#define SBI_DBCN_WRITE_BYTE		2
#define SBI_SUCCESS			0
#define SBI_ERR_NOT_SUPPORTED		(-2)
#define SBI_ERR_INVALID_PARAM		(-3)

#define CSR_SEED			0x015
#define SEED_OPST_ES16			(2UL << 30)

/* ---- registers ---------------------------------------------------------- */

#define REG(type, index) \
	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_##type | (index))
#define REG_CONFIG(name)	REG(CONFIG, KVM_REG_RISCV_CONFIG_REG(name))
#define REG_CORE(name)		REG(CORE, KVM_REG_RISCV_CORE_REG(name))
#define REG_CSR(name) \
	REG(CSR, KVM_REG_RISCV_CSR_GENERAL | KVM_REG_RISCV_CSR_REG(name))
#define REG_TIMER(name)		REG(TIMER, KVM_REG_RISCV_TIMER_REG(name))
#define REG_ISA_EXT(id)		REG(ISA_EXT, id)
#define REG_SBI_EXT(id)		REG(SBI_EXT, KVM_REG_RISCV_SBI_SINGLE | (id))
#define REG_MCSR(csr) \
	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | UMBRA_REG_RISCV_MCSR | (csr))
/* x1..x31 follow pc in struct user_regs_struct. */
#define REG_GPR(n)		REG(CORE, KVM_REG_RISCV_CORE_REG(regs.pc) + (n))
/* Younger than Linux 6.12's header. */
#define REG_ZICBOP_BLOCK	REG(CONFIG, 7)

static int get_reg(const struct vcpu *v, u64 id, u64 *val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)val };

	*val = 0;
	return ioctl(v->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

static int set_reg(const struct vcpu *v, u64 id, u64 val,
		   const char *name)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&val };

	if (ioctl(v->fd, KVM_SET_ONE_REG, &reg) < 0)
		return fail(STATUS_UNAVAILABLE, "hart %u: the module refuses %s = 0x%" PRIx64 ": %s; do module and launcher belong together? (`umbra check`)",
			    v->id, name, val, strerror(errno));
	return 0;
}

int vcpu_mmu_mode(struct vcpu *v, unsigned int wanted, unsigned int *mode)
{
	int modes = kvm_cap(v->vm->kvm_fd, UMBRA_CAP_MMU_MODES);
	u64 val;
	int ret;

	if (wanted && !(modes & (1 << wanted))) {
		char list[32] = "";

		for (unsigned int m = SATP_MODE_SV39; m <= SATP_MODE_SV57; m++)
			if (modes & (1 << m)) {
				strcat(list, " ");
				strcat(list, satp_mode_name(m));
			}
		return fail(STATUS_UNAVAILABLE, "--mmu %s: this host's modes for guests are:%s; choose one or leave --mmu out",
			    satp_mode_name(wanted),
			    *list ? list : " the default only");
	}
	if (wanted) {
		ret = set_reg(v, REG_CONFIG(satp_mode), wanted,
			      "the MMU mode");
		if (ret)
			return ret;
	}
	*mode = get_reg(v, REG_CONFIG(satp_mode), &val) ? 0 : (unsigned int)val;
	return 0;
}

int vcpu_get_isa(struct vcpu *v, struct isa *isa)
{
	u64 val;

	memset(isa, 0, sizeof(*isa));
	for (unsigned int id = 0; id < ISA_MAX_EXT; id++) {
		/* Absent, disabled or unheard of: the guest does not see it. */
		if (!isa_ext_name(id) || get_reg(v, REG_ISA_EXT(id), &val))
			continue;
		isa->ext[id] = val == 1;
	}
	if (!isa->ext[ISA_EXT_I])
		return fail(STATUS_UNAVAILABLE, "the module does not tell the guest's ISA extensions; do module and launcher belong together? (`umbra check`)");

	/* A block extension without its size is of no use to a guest. */
	if (isa->ext[ISA_EXT_ZICBOM] &&
	    !get_reg(v, REG_CONFIG(zicbom_block_size), &val))
		isa->cbom_block = (u32)val;
	if (isa->ext[ISA_EXT_ZICBOZ] &&
	    !get_reg(v, REG_CONFIG(zicboz_block_size), &val))
		isa->cboz_block = (u32)val;
	if (isa->ext[ISA_EXT_ZICBOP] && !get_reg(v, REG_ZICBOP_BLOCK, &val))
		isa->cbop_block = (u32)val;
	isa->ext[ISA_EXT_ZICBOM] = isa->cbom_block;
	isa->ext[ISA_EXT_ZICBOZ] = isa->cboz_block;
	isa->ext[ISA_EXT_ZICBOP] = isa->cbop_block;
	return 0;
}

int vcpu_get_timebase(struct vcpu *v, u64 *hz)
{
	int ret = get_reg(v, REG_TIMER(frequency), hz);

	if (ret || !*hz || *hz > UINT32_MAX)
		return fail(STATUS_UNAVAILABLE, "the module does not tell the timer's frequency (%s); do module and launcher belong together? (`umbra check`)",
			    ret ? strerror(-ret) : "not a frequency");
	return 0;
}

static int set_mp_state(const struct vcpu *v, u32 state)
{
	struct kvm_mp_state mp = { .mp_state = state };

	if (ioctl(v->fd, KVM_SET_MP_STATE, &mp) < 0)
		return fail(STATUS_UNAVAILABLE, "hart %u: the module refuses its start state: %s; do module and launcher belong together? (`umbra check`)",
			    v->id, strerror(errno));
	return 0;
}

int vcpu_reset_machine(struct vcpu *v, u64 entry)
{
	int ret = set_reg(v, REG_CORE(regs.pc), entry, "pc");

	return ret ? ret : set_mp_state(v, KVM_MP_STATE_RUNNABLE);
}

int vcpu_reset(struct vcpu *v, u64 entry, u64 dtb)
{
	int ret;

	/* Ours are the SBI console's calls; the rest is the module's. */
	ret = set_reg(v, REG_SBI_EXT(KVM_RISCV_SBI_EXT_DBCN), 1,
		      "the SBI console");
	if (!ret && !v->id) {
		ret = set_reg(v, REG_CORE(regs.pc), entry, "pc");
		if (!ret)
			ret = set_reg(v, REG_CORE(regs.a0), v->id, "a0");
		if (!ret)
			ret = set_reg(v, REG_CORE(regs.a1), dtb, "a1");
	}
	if (ret)
		return ret;
	return set_mp_state(v, v->id ? KVM_MP_STATE_STOPPED :
				       KVM_MP_STATE_RUNNABLE);
}

/* ---- saying what happened ----------------------------------------------- */

struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void put(struct text *t, const char *fmt, ...)
	__printf(2, 3);

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->size - t->len ? (size_t)n :
			  t->size - t->len - 1;
}

static void put_reg(struct text *t, const struct vcpu *v, const char *name,
		    u64 id, char after)
{
	u64 val;

	if (get_reg(v, id, &val))
		put(t, "%10s %-16s%c", name, "?", after);
	else
		put(t, "%10s %016" PRIx64 "%c", name, val, after);
}

static const struct {
	const char *name;
	u64 csr;
} machine_csrs[] = {
	{ "mstatus", 0x300 }, { "mtvec", 0x305 }, { "mepc", 0x341 },
	{ "mcause", 0x342 }, { "mtval", 0x343 }, { "mscratch", 0x340 },
	{ "mie", 0x304 }, { "mip", 0x344 }, { "medeleg", 0x302 },
	{ "mideleg", 0x303 }, { "pmpcfg0", 0x3a0 }, { "pmpcfg2", 0x3a2 },
};

static void put_registers(struct text *t, const struct vcpu *v)
{
	u64 val;

	put(t, "umbra: registers of hart %u:\n", v->id);
	put_reg(t, v, "pc", REG_CORE(regs.pc), ' ');
	for (unsigned int n = 1; n < 32; n++)
		put_reg(t, v, gpr_name(n), REG_GPR(n), n % 4 == 3 ? '\n' : ' ');
	put_reg(t, v, "mode", REG_CORE(mode), ' ');
	put_reg(t, v, "sstatus", REG_CSR(sstatus), ' ');
	put_reg(t, v, "satp", REG_CSR(satp), ' ');
	put_reg(t, v, "stvec", REG_CSR(stvec), '\n');
	put_reg(t, v, "sepc", REG_CSR(sepc), ' ');
	put_reg(t, v, "scause", REG_CSR(scause), ' ');
	put_reg(t, v, "stval", REG_CSR(stval), ' ');
	put_reg(t, v, "sscratch", REG_CSR(sscratch), '\n');
	put_reg(t, v, "sie", REG_CSR(sie), ' ');
	put_reg(t, v, "sip", REG_CSR(sip), ' ');
	put_reg(t, v, "time", REG_TIMER(time), ' ');
	put_reg(t, v, "timecmp", REG_TIMER(compare), '\n');
	/* Only a machine with M-mode has them. */
	for (unsigned int i = 0; i < ARRAY_SIZE(machine_csrs) &&
	     !get_reg(v, REG_MCSR(machine_csrs[i].csr), &val); i++)
		put_reg(t, v, machine_csrs[i].name,
			REG_MCSR(machine_csrs[i].csr), i % 4 == 3 ? '\n' : ' ');
}

/* The line on where the guest was: pc, mode, last trap. */
static void put_where(struct text *t, const struct vcpu *v)
{
	u64 pc, mode, scause, stval, sepc;

	if (get_reg(v, REG_CORE(regs.pc), &pc)) {
		put(t, "umbra: its registers cannot be read\n");
		return;
	}
	get_reg(v, REG_CORE(mode), &mode);
	get_reg(v, REG_CSR(scause), &scause);
	get_reg(v, REG_CSR(stval), &stval);
	get_reg(v, REG_CSR(sepc), &sepc);
	put(t, "umbra: pc 0x%" PRIx64 " in %c-mode", pc, "US?M"[mode & 3]);
	if (scause || stval || sepc)
		put(t, "; last trap: scause 0x%llx (%s), stval 0x%llx, sepc 0x%llx\n",
		    (unsigned long long)scause, scause_name(scause),
		    (unsigned long long)stval, (unsigned long long)sepc);
	else
		put(t, "; scause 0, stval 0: no trap yet\n");
}

static void put_exit(struct text *t, const struct vcpu *v)
{
	const struct kvm_run *run = v->run;
	unsigned int n;

	put(t, "%s (%u)", exit_reason_name(run->exit_reason),
	    run->exit_reason);
	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		put(t, ": a %u-byte %s at 0x%llx, where this machine has nothing",
		    run->mmio.len, run->mmio.is_write ? "write" : "read",
		    (unsigned long long)run->mmio.phys_addr);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		put(t, ": the host cannot enter the guest: reason 0x%llx on CPU %u",
		    (unsigned long long)run->fail_entry.hardware_entry_failure_reason,
		    run->fail_entry.cpu);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		put(t, ": the module gave up: suberror %u%s",
		    run->internal.suberror,
		    run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION ?
		    " (emulation failed)" :
		    run->internal.suberror == KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON ?
		    " (unexpected trap)" : "");
		n = run->internal.ndata;
		for (unsigned int i = 0;
		     i < n && i < ARRAY_SIZE(run->internal.data); i++)
			put(t, "%s0x%llx", i ? " " : ", data ",
			    (unsigned long long)run->internal.data[i]);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		put(t, ": system event %u", run->system_event.type);
		n = run->system_event.ndata;
		for (unsigned int i = 0;
		     i < n && i < ARRAY_SIZE(run->system_event.data); i++)
			put(t, "%s0x%llx", i ? " " : ", data ",
			    (unsigned long long)run->system_event.data[i]);
		break;
	case KVM_EXIT_RISCV_CSR:
		put(t, ": access to CSR 0x%lx",
		    (unsigned long)run->riscv_csr.csr_num);
		break;
	default:
		put(t, ": which this launcher does not know");
		break;
	}
}

/* ---- the end of a guest ------------------------------------------------- */

/*
 * The first to call decides how the guest ended.  True: that was us, and the
 * lock is held for a report; vm_end_finish() releases it.
 */
static bool vm_end_begin(struct vm *vm, enum vm_end end, u64 code)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->end != VM_RUNNING || atomic_load(&vm->stopping)) {
		pthread_mutex_unlock(&vm->lock);
		return false;
	}
	vm->end = end;
	vm->code = code;
	return true;
}

static void vm_end_finish(struct vm *vm)
{
	pthread_mutex_unlock(&vm->lock);
	console_stop(vm->console);
}

static void vm_end(struct vcpu *v, enum vm_end end, u64 code)
{
	if (vm_end_begin(v->vm, end, code))
		vm_end_finish(v->vm);
}

/* KVM_RUN failed with @err, or (0) came back with an exit we cannot serve. */
static void vm_died(struct vcpu *v, int err)
{
	struct vm *vm = v->vm;
	struct text t = { vm->report, sizeof(vm->report), 0 };

	if (!vm_end_begin(vm, VM_DIED, 0))
		return;
	put(&t, "umbra: the guest died on hart %u: ", v->id);
	if (err)
		put(&t, "KVM_RUN: %s\n", strerror(err));
	else
		put_exit(&t, v);
	if (!err)
		put(&t, "\n");
	put_where(&t, v);
	if (vm->want_registers)
		put_registers(&t, v);
	else
		put(&t, "umbra: --registers shows the rest, `dmesg | grep umbra` may say more\n");
	vm_end_finish(vm);
}

/* ---- exits -------------------------------------------------------------- */

static void sbi_dbcn(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	u64 len = run->riscv_sbi.args[0];
	u64 gpa = run->riscv_sbi.args[1];
	u64 high = run->riscv_sbi.args[2];
	unsigned long *error = &run->riscv_sbi.ret[0];
	unsigned long *value = &run->riscv_sbi.ret[1];
	u8 byte;
	void *buf;

	*error = SBI_SUCCESS;
	*value = 0;
	switch (run->riscv_sbi.function_id) {
	case SBI_DBCN_WRITE:
	case SBI_DBCN_READ:
		buf = high ? NULL : ram_ptr(&v->vm->ram, gpa, len);
		if (!buf)
			*error = (unsigned long)SBI_ERR_INVALID_PARAM;
		else if (run->riscv_sbi.function_id == SBI_DBCN_WRITE)
			*value = console_sbi_write(v->vm->console, buf, len);
		else
			*value = console_sbi_read(v->vm->console, buf, len);
		break;
	case SBI_DBCN_WRITE_BYTE:
		byte = (u8)len;
		console_sbi_write(v->vm->console, &byte, 1);
		break;
	default:
		*error = (unsigned long)SBI_ERR_NOT_SUPPORTED;
		break;
	}
}

static void handle_sbi(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	u8 byte;

	switch (run->riscv_sbi.extension_id) {
	case SBI_EXT_DBCN:
		sbi_dbcn(v);
		break;
	case SBI_EXT_0_1_CONSOLE_PUTCHAR:
		byte = (u8)run->riscv_sbi.args[0];
		console_sbi_write(v->vm->console, &byte, 1);
		run->riscv_sbi.ret[0] = SBI_SUCCESS;
		break;
	case SBI_EXT_0_1_CONSOLE_GETCHAR:
		/* Legacy calls answer in a0 alone: the byte, or -1. */
		if (console_sbi_read(v->vm->console, &byte, 1))
			run->riscv_sbi.ret[0] = byte;
		else
			run->riscv_sbi.ret[0] = -1UL;
		break;
	default:
		run->riscv_sbi.ret[0] = (unsigned long)SBI_ERR_NOT_SUPPORTED;
		run->riscv_sbi.ret[1] = 0;
		break;
	}
}

/* The entropy source of Zkr is the host's. */
static bool handle_csr(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	u16 seed;

	if (run->riscv_csr.csr_num != CSR_SEED ||
	    getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return false;
	run->riscv_csr.ret_value = SEED_OPST_ES16 | seed;
	return true;
}

static bool handle_system_event(struct vcpu *v)
{
	const struct kvm_run *run = v->run;

	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vm_end(v, VM_POWEROFF, run->system_event.ndata ?
		       run->system_event.data[0] : 0);
		return true;
	case KVM_SYSTEM_EVENT_CRASH:
		vm_end(v, VM_FAILED, run->system_event.ndata ?
		       run->system_event.data[0] : 0);
		return true;
	case KVM_SYSTEM_EVENT_RESET:
		vm_end(v, VM_RESET, 0);
		return true;
	default:
		return false;
	}
}

static bool handle_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	u64 val = 0;

	memcpy(&val, run->mmio.data, run->mmio.is_write ? run->mmio.len : 0);
	if (!mmio_access(&v->vm->mmio, run->mmio.phys_addr, run->mmio.len,
			 run->mmio.is_write, &val))
		return false;
	if (!run->mmio.is_write)
		memcpy(run->mmio.data, &val, run->mmio.len);
	return true;
}

/* False: the guest cannot go on from here. */
static bool handle_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_RISCV_SBI:
		handle_sbi(v);
		return true;
	case KVM_EXIT_RISCV_CSR:
		return handle_csr(v);
	case KVM_EXIT_MMIO:
		return handle_mmio(v);
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_system_event(v);
	default:
		return false;
	}
}

/* ---- threads ------------------------------------------------------------ */

static void kicked(int sig)
{
	(void)sig;	/* its work is to interrupt KVM_RUN */
}

static void show_registers(struct vcpu *v)
{
	char buf[4096];
	struct text t = { buf, sizeof(buf), 0 };

	put(&t, "\n");
	put_where(&t, v);
	put_registers(&t, v);
	write_full(STDERR_FILENO, buf, t.len);
}

/* The end of the machine is decided elsewhere: just wait for it. */
static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct vm *vm = v->vm;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	while (!atomic_load(&vm->stopping)) {
		if (ioctl(v->fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN) {
				vm_died(v, errno);
				break;
			}
			/*
			 * Cleared before the flags are read: whoever sets one
			 * of them now sets immediate_exit after it.
			 */
			__atomic_store_n(&v->run->immediate_exit, 0,
					 __ATOMIC_SEQ_CST);
			if (atomic_exchange(&v->show_registers, false))
				show_registers(v);
			continue;
		}
		if (!handle_exit(v)) {
			vm_died(v, 0);
			break;
		}
		if (v->run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
			break;
	}
	return NULL;
}

static void kick(struct vcpu *v)
{
	if (!v->started)
		return;
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, KICK_SIGNAL);
}

int vcpu_create(struct vcpu *v, struct vm *vm, unsigned int id,
		size_t run_size)
{
	void *run;

	memset(v, 0, sizeof(*v));
	v->vm = vm;
	v->id = id;
	v->stats_fd = -1;
	v->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (v->fd < 0)
		return fail(STATUS_UNAVAILABLE, "the module makes no vCPU %u: %s; %s",
			    id, strerror(errno),
			    errno == EINVAL ? "give fewer --cpus" :
			    "`dmesg | grep umbra` may tell why");

	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   0);
	if (run == MAP_FAILED)
		return fail(STATUS_SYSTEM, "cannot map the state of vCPU %u: %s",
			    id, strerror(errno));
	v->run = run;
	v->run_size = run_size;
	v->stats_fd = ioctl(v->fd, KVM_GET_STATS_FD, NULL);
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	v->run = NULL;
	if (v->stats_fd >= 0)
		close(v->stats_fd);
	v->stats_fd = -1;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

int vcpu_start(struct vcpu *v)
{
	struct sigaction sa = { .sa_handler = kicked };
	sigset_t kick_set, old;
	char name[16];
	int ret;

	/* No SA_RESTART: KVM_RUN must return. */
	sigaction(KICK_SIGNAL, &sa, NULL);

	/* Not before the thread is ready, and in that thread alone. */
	sigemptyset(&kick_set);
	sigaddset(&kick_set, KICK_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &kick_set, &old);
	ret = pthread_create(&v->thread, NULL, vcpu_thread, v);
	if (ret)
		return fail(STATUS_SYSTEM, "the host gives no thread for vCPU %u: %s; give fewer --cpus or raise `ulimit -u`",
			    v->id, strerror(ret));
	v->started = true;
	snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(v->thread, name);
	return 0;
}

int vcpus_stop(struct vm *vm)
{
	struct timespec limit;
	int ret = 0;

	atomic_store(&vm->stopping, true);
	/* A vCPU may be waiting for room in the console's buffer. */
	console_stop(vm->console);
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		kick(&vm->vcpus[i]);

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += STOP_SECONDS;
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *v = &vm->vcpus[i];

		if (!v->started)
			continue;
		if (pthread_clockjoin_np(v->thread, NULL, CLOCK_MONOTONIC,
					 &limit)) {
			ret = fail(STATUS_SYSTEM, "hart %u does not stop: this is a bug of the module; see dmesg",
				   v->id);
			continue;
		}
		v->started = false;
	}
	return ret;
}

void vcpus_show_registers(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		atomic_store(&vm->vcpus[i].show_registers, true);
		kick(&vm->vcpus[i]);
	}
}
