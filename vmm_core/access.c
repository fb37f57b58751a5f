// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and stores that Umbra performs in the guest's stead: on devices, and
 * on pages whose text is rewritten and must look as it was.
 *
 * Called by the run loop after a fault that the shadow cannot satisfy.  An
 * access is done in naturally aligned pieces, each translated by itself, so
 * that misaligned and page-crossing ones come out as on hardware.
 */
#include <linux/uaccess.h>

#include "rmem.h"
#include "trace.h"
#include "vmm.h"

/* --- guest-physical memory ------------------------------------------------------ */

/* One piece inside a page; srcu held. */
static unsigned long gpa_hva(struct umbra_vm *vm, u64 gpa, bool write)
{
	struct umbra_memslot *slot = umbra_memslot_find(vm, gpa >> PAGE_SHIFT);

	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)))
		return 0;
	return slot->hva + (((gpa >> PAGE_SHIFT) - slot->gfn) << PAGE_SHIFT) +
	       offset_in_page(gpa);
}

/*
 * Naturally aligned pieces are one access, as they are in hardware: another
 * hart never sees half a store.
 */
static int copy_in(void *to, unsigned long hva, size_t n)
{
	switch (hva & (n - 1) ? 0 : n) {
	case 1:
		return get_user(*(u8 *)to, (u8 __user *)hva);
	case 2:
		return get_user(*(u16 *)to, (u16 __user *)hva);
	case 4:
		return get_user(*(u32 *)to, (u32 __user *)hva);
	case 8:
		return get_user(*(u64 *)to, (u64 __user *)hva);
	}
	return copy_from_user(to, (void __user *)hva, n) ? -EFAULT : 0;
}

static int copy_out(unsigned long hva, const void *from, size_t n)
{
	switch (hva & (n - 1) ? 0 : n) {
	case 1:
		return put_user(*(const u8 *)from, (u8 __user *)hva);
	case 2:
		return put_user(*(const u16 *)from, (u16 __user *)hva);
	case 4:
		return put_user(*(const u32 *)from, (u32 __user *)hva);
	case 8:
		return put_user(*(const u64 *)from, (u64 __user *)hva);
	}
	return copy_to_user((void __user *)hva, from, n) ? -EFAULT : 0;
}

/* Original bytes, all from one moment as far as rewriting goes. */
static int read_original(struct umbra_vm *vm, unsigned long hva, u64 gpa,
			 void *to, size_t n)
{
	unsigned int seq;

	do {
		seq = raw_read_seqcount_begin(&vm->sites.seq);
		if (copy_in(to, hva, n))
			return -EFAULT;
		umbra_sites_overlay(vm, gpa, to, n);
	} while (read_seqcount_retry(&vm->sites.seq, seq));
	return 0;
}

int umbra_gpa_read(struct umbra_vm *vm, u64 gpa, void *to, size_t len)
{
	int srcu = srcu_read_lock(&vm->slots_srcu);
	int ret = 0;

	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		unsigned long hva = gpa_hva(vm, gpa, false);

		if (!hva || read_original(vm, hva, gpa, to, n)) {
			ret = -EFAULT;
			break;
		}
		gpa += n;
		to += n;
		len -= n;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return ret;
}

int umbra_gpa_write(struct umbra_vm *vm, u64 gpa, const void *from, size_t len)
{
	int srcu = srcu_read_lock(&vm->slots_srcu);
	int ret = 0;

	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		unsigned long hva = gpa_hva(vm, gpa, true);

		if (!hva) {
			ret = -EFAULT;
			break;
		}
		umbra_sites_drop(vm, gpa, n);
		if (copy_out(hva, from, n)) {
			ret = -EFAULT;
			break;
		}
		umbra_mark_dirty(vm, gpa >> PAGE_SHIFT);
		gpa += n;
		from += n;
		len -= n;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return ret;
}

bool umbra_gpa_is_memory(struct umbra_vm *vm, u64 gpa)
{
	int srcu = srcu_read_lock(&vm->slots_srcu);
	bool ret = umbra_memslot_find(vm, gpa >> PAGE_SHIFT);

	srcu_read_unlock(&vm->slots_srcu, srcu);
	return ret;
}

bool umbra_gpa_range_is_usable(struct umbra_vm *vm, u64 gpa, u64 len, bool write)
{
	struct umbra_memslot *slot;
	u64 end = gpa + len;
	bool ret = true;
	int srcu;

	if (end < gpa)
		return false;
	/* Slot by slot: the guest chooses the length. */
	srcu = srcu_read_lock(&vm->slots_srcu);
	while (ret && gpa < end) {
		slot = umbra_memslot_find(vm, gpa >> PAGE_SHIFT);
		if (slot && !(write && (slot->flags & KVM_MEM_READONLY)))
			gpa = (slot->gfn + slot->npages) << PAGE_SHIFT;
		else
			ret = false;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return ret;
}

/* Is [lo, lo + len) memory, with the address in two halves as SBI passes it? */
bool umbra_gpa_range_is_memory(struct umbra_vm *vm, u64 lo, u64 hi, u64 len)
{
	return !hi && umbra_gpa_range_is_usable(vm, lo, len, false);
}

bool umbra_gpa_is_window(struct umbra_vm *vm, u64 gpa, u64 len)
{
	struct umbra_windows *list;
	bool ret = false;

	rcu_read_lock();
	list = rcu_dereference(vm->windows);
	if (!list)
		ret = true;
	for (unsigned int i = 0; list && i < list->nr; i++) {
		struct umbra_mmio_window *w = &list->w[i];

		if (gpa >= w->base && gpa - w->base < w->size &&
		    w->size - (gpa - w->base) >= len)
			ret = true;
	}
	rcu_read_unlock();
	return ret;
}

/* --- fetch -------------------------------------------------------------------------- */

static int fetch_half(struct umbra_vcpu *vcpu, u64 va, u16 *half)
{
	struct umbra_fault_info info = {
		.gva = va, .access = UMBRA_ACCESS_EXEC, .len = 2,
	};
	int ret = umbra_mmu_translate(vcpu, &info);

	if (ret == UMBRA_FAULT_GUEST) {
		umbra_inject(vcpu, info.cause, va);
		return UMBRA_RESUME;
	}
	if (ret)
		return ret == -EAGAIN ? UMBRA_RESUME : ret;
	if (umbra_gpa_read(vcpu->vm, info.gpa, half, 2)) {
		umbra_inject(vcpu, V_EXC_INSN_ACCESS, va);
		return UMBRA_RESUME;
	}
	return 0;
}

/*
 * Through the mapping that the hart fetched it by, if that is still there.  With
 * M-mode PMP may judge parts of a page.
 */
static bool fetch_again(struct umbra_vcpu *vcpu, u64 pc, u32 *raw)
{
	bool global;
	u64 gfn;

	if (vcpu->m || offset_in_page(pc) > PAGE_SIZE - 4)
		return false;
	gfn = umbra_mmu_exec_gfn(vcpu, pc, &global);
	if (gfn == ~0ULL ||
	    umbra_gpa_read(vcpu->vm, (gfn << PAGE_SHIFT) + offset_in_page(pc), raw, 4))
		return false;
	if (umbra_insn_len(*raw) == 2)
		*raw = (u16)*raw;
	return true;
}

/* 0: *raw is valid; else as emulation returns (an exception was raised). */
int umbra_fetch(struct umbra_vcpu *vcpu, u32 *raw)
{
	u16 lo, hi = 0;
	int ret;

	if (fetch_again(vcpu, vcpu->cpu->pc, raw))
		return 0;
	ret = fetch_half(vcpu, vcpu->cpu->pc, &lo);
	if (ret)
		return ret;
	if (umbra_insn_len(lo) == 4) {
		ret = fetch_half(vcpu, vcpu->cpu->pc + 2, &hi);
		if (ret)
			return ret;
	}
	*raw = lo | (u32)hi << 16;
	return 0;
}

/*
 * Does memory (not the original: a rewritten wfi traps) hold a wfi at @va?
 * Quietly no where it cannot be read; nothing is raised in the guest.
 */
bool umbra_is_wfi(struct umbra_vcpu *vcpu, u64 va)
{
	struct umbra_fault_info info = {
		.gva = va, .access = UMBRA_ACCESS_EXEC,
	};
	unsigned long hva;
	u32 raw = 0;
	int srcu;

	if ((va & 1) || offset_in_page(va) > PAGE_SIZE - 4)
		return false;
	if (umbra_mmu_translate(vcpu, &info) != UMBRA_FAULT_DONE)
		return false;
	srcu = srcu_read_lock(&vcpu->vm->slots_srcu);
	hva = gpa_hva(vcpu->vm, info.gpa, false);
	if (!hva || copy_from_user(&raw, (void __user *)hva, sizeof(raw)))
		raw = 0;
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	return raw == 0x10500073;
}

/* --- pieces --------------------------------------------------------------------------- */

static u64 access_fault(enum umbra_access access)
{
	return access == UMBRA_ACCESS_READ ? V_EXC_LOAD_ACCESS :
	       V_EXC_STORE_ACCESS;
}

static void exit_mmio(struct umbra_vcpu *vcpu, u64 gpa, unsigned int len,
		      bool write, u64 val)
{
	struct kvm_run *run = vcpu->run;

	umbra_count(vcpu, UMBRA_STAT_MMIO_USER);
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, &val, len);
}

/*
 * One piece at @gpa.  UMBRA_RESUME: done; 0: user space has to do it;
 * -EFAULT: nothing there.
 */
static int piece(struct umbra_vcpu *vcpu, u64 gpa, unsigned int len, bool write,
		 u64 *val)
{
	int ret;

	if (umbra_gpa_is_memory(vcpu->vm, gpa)) {
		if (write) {
			/* ROM: as KVM, user space decides what a store does. */
			ret = umbra_gpa_write(vcpu->vm, gpa, val, len);
			if (!ret)
				return UMBRA_RESUME;
		} else {
			*val = 0;
			ret = umbra_gpa_read(vcpu->vm, gpa, val, len);
			return ret ? ret : UMBRA_RESUME;
		}
	}
	if (write && umbra_ioeventfd_store(vcpu->vm, gpa, len, *val)) {
		umbra_count(vcpu, UMBRA_STAT_MMIO_KERNEL);
		return UMBRA_RESUME;
	}
	ret = umbra_bus__access(vcpu->vm->bus, gpa, len, write, val);
	if (ret == 0) {
		umbra_count(vcpu, UMBRA_STAT_MMIO_KERNEL);
		return UMBRA_RESUME;
	}
	if (ret != -EOPNOTSUPP || !umbra_gpa_is_window(vcpu->vm, gpa, len))
		return -EFAULT;
	if (write && umbra_coalesced_store(vcpu->vm, gpa, len, *val)) {
		umbra_count(vcpu, UMBRA_STAT_MMIO_KERNEL);
		return UMBRA_RESUME;
	}
	exit_mmio(vcpu, gpa, len, write, *val);
	return 0;
}

/* Go on with vcpu->io from .done; see UMBRA_RESUME for the result. */
static int continue_access(struct umbra_vcpu *vcpu)
{
	struct umbra_pending_io *io = &vcpu->io;
	const struct umbra_insn *insn = &io->insn;
	enum umbra_access access = umbra_rmem_access(insn);
	bool write = access == UMBRA_ACCESS_WRITE;

	while (io->done < insn->width) {
		u64 gva = io->gva + io->done;
		unsigned int len = umbra_rmem_piece(gva, insn->width - io->done);
		struct umbra_fault_info info = {
			.gva = gva, .access = access, .len = len,
		};
		u64 val = write ? umbra_rmem_extract(io->value, io->done, len) : 0;
		int ret = UMBRA_FAULT_DONE;

		if ((gva & PAGE_MASK) == io->page_gva)
			info.gpa = io->page_gpa + offset_in_page(gva);
		else
			ret = umbra_mmu_translate(vcpu, &info);
		if (ret == -EAGAIN)
			return UMBRA_RESUME;
		if (ret < 0)
			return ret;
		if (ret == UMBRA_FAULT_GUEST) {
			umbra_inject(vcpu, info.cause, gva);
			return UMBRA_RESUME;
		}
		ret = piece(vcpu, info.gpa, len, write, &val);
		if (ret == -EFAULT) {
			umbra_inject(vcpu, access_fault(access), gva);
			return UMBRA_RESUME;
		}
		if (ret == 0) {
			io->kind = UMBRA_IO_MMIO;
			io->part = len;
			return 0;
		}
		if (!write)
			io->value = umbra_rmem_insert(io->value, io->done, len, val);
		io->done += len;
		if (insn->width == 1)
			umbra_mmu_note_post(vcpu, insn, gva, info.gpa);
	}
	if (insn->op == UMBRA_OP_FLOAD)
		umbra_fp_finish_load(vcpu, insn, io->value);
	else if (!write)
		umbra_rmem_finish_load(insn, io->value, vcpu->cpu->gpr, NULL);
	vcpu->cpu->pc += insn->len;
	return UMBRA_RESUME;
}

int umbra_complete_mmio(struct umbra_vcpu *vcpu)
{
	struct umbra_pending_io *io = &vcpu->io;
	struct kvm_run *run = vcpu->run;
	u64 val = 0;

	io->kind = UMBRA_IO_NONE;
	io->page_gva = 1;
	if (umbra_rmem_access(&io->insn) == UMBRA_ACCESS_READ) {
		memcpy(&val, run->mmio.data, io->part);
		io->value = umbra_rmem_insert(io->value, io->done, io->part, val);
	}
	io->done += io->part;
	return continue_access(vcpu);
}

/* --- atomics ------------------------------------------------------------------------- */

/* The instruction on its word: what to store, and what rd gets. */
static bool atomic_step(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			u64 gpa, u64 old, u64 *new, u64 *result)
{
	struct umbra_reservation *lr = &vcpu->lr;
	const u64 *gpr = vcpu->cpu->gpr;

	*result = umbra_rmem_amo_result(insn, old);
	switch (insn->op) {
	case UMBRA_OP_LR:
		*lr = (struct umbra_reservation) {
			.valid = true, .gpa = gpa, .value = old,
			.width = insn->width,
		};
		return false;
	case UMBRA_OP_SC:
		*result = !(lr->valid && lr->gpa == gpa && lr->value == old &&
			    lr->width == insn->width);
		*new = umbra_rmem_extract(gpr[insn->rs2], 0, insn->width);
		return !*result;
	default:
		*new = umbra_rmem_amo(insn, old, gpr);
		return true;
	}
}

/* On the 8 bytes around it, which hold all of a naturally aligned word. */
static void atomic_do(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
		      u64 gpa, u64 *ptr)
{
	unsigned int off = gpa & 7;
	u64 all, new = 0, result;

	do {
		all = READ_ONCE(*ptr);
		if (!atomic_step(vcpu, insn, gpa,
				 umbra_rmem_extract(all, off, insn->width),
				 &new, &result))
			break;
	} while (!umbra_cmpxchg(ptr, all, umbra_rmem_insert(all, off,
							     insn->width, new)));
	if (insn->op == UMBRA_OP_SC)
		vcpu->lr.valid = false;
	if (insn->rd)
		vcpu->cpu->gpr[insn->rd] = result;
	vcpu->cpu->pc += insn->len;
}

static bool is_atomic(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_LR || insn->op == UMBRA_OP_SC ||
	       (insn->op == UMBRA_OP_AMO && insn->width <= 8);
}

/*
 * LR, SC or AMO on memory that cannot be mapped for the guest: where PMP judges
 * parts of the page differently, or with MPRV.  -EFAULT where there is none, or
 * none that may be written.
 */
static int emulate_atomic(struct umbra_vcpu *vcpu,
			  const struct umbra_insn *insn, u64 gpa)
{
	bool write = insn->op != UMBRA_OP_LR;
	struct page *page;
	unsigned long hva;
	int ret = -EFAULT;
	int srcu = srcu_read_lock(&vcpu->vm->slots_srcu);

	hva = gpa_hva(vcpu->vm, gpa, write);
	if (hva && get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page) == 1) {
		atomic_do(vcpu, insn, gpa,
			  page_address(page) + (offset_in_page(gpa) & ~7UL));
		if (write) {
			set_page_dirty_lock(page);
			umbra_mark_dirty(vcpu->vm, gpa >> PAGE_SHIFT);
		}
		put_page(page);
		ret = UMBRA_RESUME;
	}
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	return ret;
}

/*
 * An access that is not taken apart: on rewritten text the page is restored,
 * so that the hardware can do it.
 */
static int not_scalar(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
		      u64 gva, enum umbra_access access)
{
	struct umbra_fault_info info = {
		.gva = gva, .access = access, .len = insn->width,
	};
	int ret;

	if (is_atomic(insn) && (gva & (insn->width - 1))) {
		umbra_inject(vcpu, access == UMBRA_ACCESS_READ ?
			     V_EXC_LOAD_MISALIGNED : V_EXC_STORE_MISALIGNED, gva);
		return UMBRA_RESUME;
	}
	ret = umbra_mmu_translate(vcpu, &info);
	if (ret == UMBRA_FAULT_GUEST) {
		umbra_inject(vcpu, info.cause, gva);
		return UMBRA_RESUME;
	}
	if (ret)
		return ret == -EAGAIN ? UMBRA_RESUME : ret;
	if (umbra_gpa_is_memory(vcpu->vm, info.gpa) &&
	    umbra_sites_active(vcpu->vm, info.gpa >> PAGE_SHIFT)) {
		umbra_sites_restore(vcpu->vm, info.gpa >> PAGE_SHIFT);
		return UMBRA_RESUME;
	}
	if (is_atomic(insn) &&
	    emulate_atomic(vcpu, insn, info.gpa) == UMBRA_RESUME)
		return UMBRA_RESUME;
	/* LR, SC, AMO, vector and cache-block accesses: not on devices. */
	umbra_inject(vcpu, access_fault(access), gva);
	return UMBRA_RESUME;
}

/* A store as memset() makes them; patched text is something else. */
static bool clears(const struct umbra_pending_io *io)
{
	return io->insn.op == UMBRA_OP_STORE && io->insn.width == 8 &&
	       io->value == (io->value & 0xff) * 0x0101010101010101ULL;
}

/* @info: as umbra_mmu_fault() left it */
int umbra_emulate_access(struct umbra_vcpu *vcpu, const struct umbra_fault_info *info)
{
	enum umbra_access access = info->access;
	struct umbra_pending_io *io = &vcpu->io;
	u64 gva = info->gva;
	u32 raw;
	int ret;

	ret = umbra_fetch(vcpu, &raw);
	if (ret)
		return ret;
	umbra_decode(raw, &io->insn);
	if (!umbra_rmem_scalar(&io->insn))
		return not_scalar(vcpu, &io->insn, gva, access);
	/* Another hart changed the instruction: let the guest fault again. */
	if (umbra_rmem_access(&io->insn) != access)
		return UMBRA_RESUME;

	io->gva = umbra_rmem_addr(&io->insn, vcpu->cpu->gpr);
	io->done = 0;
	io->value = 0;
	if (io->insn.op == UMBRA_OP_FSTORE)
		io->value = umbra_fp_store_value(vcpu, &io->insn);
	else if (access == UMBRA_ACCESS_WRITE)
		io->value = umbra_rmem_store_value(&io->insn, vcpu->cpu->gpr,
						   NULL);
	if (umbra_sites_active(vcpu->vm, info->gpa >> PAGE_SHIFT)) {
		umbra_count(vcpu, UMBRA_STAT_EMUL_TEXT);
		umbra_sites_accessed(vcpu, info->gpa >> PAGE_SHIFT, clears(io));
	}
	/* With M-mode PMP judges each piece. */
	io->page_gva = vcpu->m ? 1 : gva & PAGE_MASK;
	io->page_gpa = info->gpa & PAGE_MASK;
	trace_umbra_mmio(vcpu->id, io->gva, io->insn.width,
			 access == UMBRA_ACCESS_WRITE, io->value);
	return continue_access(vcpu);
}
