// SPDX-License-Identifier: GPL-2.0
/*
 * Setting up the switcher: its text pages, each vCPU's data pages, and the hot
 * table that tells its stubs what stands at a rewritten site.
 *
 * Called at module load, at vCPU creation, by shadow_mmu (which maps it and
 * chooses its address) and by the rewriter.  All per-vCPU functions run in the
 * vCPU's own thread.
 */
#include <linux/cacheflush.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "vmm.h"

#define CHECK(field, off) \
	static_assert(offsetof(struct umbra_switch, field) == (off) + SW_SIZE)
CHECK(cpu.gpr, SW_GPR(0));
CHECK(cpu.pc, SW_PC);
CHECK(cpu.sstatus, SW_SSTATUS);
CHECK(cpu.stvec, SW_STVEC);
CHECK(cpu.sscratch, SW_SSCRATCH);
CHECK(cpu.sepc, SW_SEPC);
CHECK(cpu.scause, SW_SCAUSE);
CHECK(cpu.stval, SW_STVAL);
CHECK(cpu.priv, SW_PRIV);
CHECK(cpu.sie, SW_SIE);
CHECK(cpu.stimecmp, SW_STIMECMP);
CHECK(exit_scause, SW_EXIT_SCAUSE);
CHECK(exit_stval, SW_EXIT_STVAL);
CHECK(hw_sstatus, SW_HW_SSTATUS);
CHECK(fpv_mask, SW_FPV_MASK);
CHECK(fpv_writable, SW_FPV_WRITABLE);
CHECK(salt, SW_SALT);
CHECK(salt_u, SW_SALT_U);
CHECK(salt_s, SW_SALT_S);
CHECK(root_u, SW_ROOT_U);
CHECK(root_s, SW_ROOT_S);
CHECK(root_sum, SW_ROOT_SUM);
CHECK(root_priv_s, SW_ROOT_PRIV_S);
CHECK(irq_pending, SW_IRQ_PENDING);
CHECK(host_satp, SW_HOST_SATP);
CHECK(host_stvec, SW_HOST_STVEC);
CHECK(host_sp, SW_HOST_SP);
CHECK(host_sstatus, SW_HOST_SSTATUS);
CHECK(host_return, SW_HOST_RETURN);
CHECK(trap_va, SW_TRAP_VA);
CHECK(arrive_va, SW_ARRIVE_VA);
CHECK(base_va, SW_BASE_VA);
CHECK(entry_satp, SW_ENTRY_SATP);
CHECK(hw_senvcfg, SW_HW_SENVCFG);
CHECK(hw_scounteren, SW_HW_SCOUNTEREN);
CHECK(host_senvcfg, SW_HOST_SENVCFG);
CHECK(host_scounteren, SW_HOST_SCOUNTEREN);
CHECK(nested, SW_NESTED);
CHECK(time_offset, SW_TIME_OFFSET);
CHECK(sc_slot, SW_SC_SLOT);
CHECK(has_senvcfg, SW_HAS_SENVCFG);
CHECK(envcfg_flip, SW_ENVCFG_FLIP);
CHECK(envcfg_u, SW_ENVCFG_U);
CHECK(envcfg_s, SW_ENVCFG_S);
CHECK(envcfg_m, SW_ENVCFG_M);
CHECK(machine.mstatus, SW_M_STATUS);
CHECK(machine.mepc, SW_M_EPC);
CHECK(abort_va, SW_ABORT_VA);
CHECK(sip, SW_SIP);
CHECK(timer_armed, SW_TIMER_ARMED);
static_assert(sizeof(struct umbra_switch) <= SW_SIZE);
/* The last member; the counters are in the padding behind it. */
static_assert(offsetofend(struct umbra_switch, machine) <= SW_SIZE - 8 * SW_COUNTS);
static_assert(UMBRA_SW_HOT_PAGES * 4096 == FAST_OFFSET);
static_assert(offsetof(struct umbra_fast, busy) == FAST_BUSY);
static_assert(offsetof(struct umbra_fast, probing) == FAST_PROBING);
static_assert(offsetof(struct umbra_fast, holding) == FAST_HOLDING);
static_assert(offsetof(struct umbra_fast, aborts) == FAST_ABORTS);
static_assert(sizeof(struct umbra_fast) <= UMBRA_SW_FAST_PAGES * 4096);
static_assert(UMBRA_RMAP_HASH * sizeof(u32) == UMBRA_SW_RMAP_PAGES * 4096);
static_assert(sizeof(struct umbra_hot) == 1 << HOT_SHIFT);
static_assert(offsetof(struct umbra_hot, first) == HOT_FIRST);
static_assert(offsetof(struct umbra_hot, op) == HOT_OP);
static_assert(offsetof(struct umbra_hot, rd) == HOT_RD);
static_assert(offsetof(struct umbra_hot, slot) == HOT_SLOT);
static_assert(offsetof(struct umbra_hot, imm) == HOT_IMM);
static_assert(offsetof(struct umbra_hot, next) == HOT_NEXT);

#define SW_TEXT_ORDER	get_order(UMBRA_SW_TEXT_PAGES * PAGE_SIZE)

static struct page *text_pages;

int umbra_switch_init(void)
{
	size_t size = umbra_sw_end - umbra_sw_start;

	if (size > UMBRA_SW_TEXT_PAGES * PAGE_SIZE)
		return -E2BIG;
	text_pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, SW_TEXT_ORDER);
	if (!text_pages)
		return -ENOMEM;
	memcpy(page_address(text_pages), umbra_sw_start, size);
	flush_icache_all();
	return 0;
}

void umbra_switch_exit(void)
{
	__free_pages(text_pages, SW_TEXT_ORDER);
}

int umbra_switch_create(struct umbra_vcpu *vcpu)
{
	vcpu->sw_area = __vmalloc(UMBRA_SW_DATA_PAGES * PAGE_SIZE,
				  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->sw_area)
		return -ENOMEM;
	vcpu->sw = vcpu->sw_area + PAGE_SIZE - SW_SIZE;
	vcpu->cpu = &vcpu->sw->cpu;
	vcpu->hot = vcpu->sw_area + PAGE_SIZE;
	vcpu->mmu.fast = (void *)vcpu->hot + FAST_OFFSET;
	vcpu->mmu.rmap = (void *)vcpu->mmu.fast + UMBRA_SW_FAST_PAGES * PAGE_SIZE;
	vcpu->sw->has_senvcfg = umbra_host.senvcfg;
	vcpu->sw->fpv_mask = V_FPV;
	return 0;
}

void umbra_switch_destroy(struct umbra_vcpu *vcpu)
{
	vfree(vcpu->sw_area);
}

phys_addr_t umbra_switch_page(struct umbra_vcpu *vcpu, unsigned int n)
{
	if (n < UMBRA_SW_TEXT_PAGES)
		return page_to_phys(text_pages) + n * PAGE_SIZE;
	n -= UMBRA_SW_TEXT_PAGES;
	return page_to_phys(vmalloc_to_page(vcpu->sw_area + n * PAGE_SIZE));
}

/* Address of a label of the blob in the guest's address space. */
static u64 sw_va(struct umbra_vcpu *vcpu, const char *label)
{
	return vcpu->sw_va + (label - umbra_sw_start);
}

void umbra_switch_place(struct umbra_vcpu *vcpu, u64 va)
{
	vcpu->sw_va = va;
	vcpu->sw->base_va = va + (UMBRA_SW_TEXT_PAGES + 1) * PAGE_SIZE;
	vcpu->sw->trap_va = sw_va(vcpu, umbra_sw_trap);
	vcpu->sw->arrive_va = sw_va(vcpu, umbra_sw_arrive);
	vcpu->sw->abort_va = sw_va(vcpu, umbra_sw_abort);
	umbra_switch_forget(vcpu);
}

void umbra_switch_forget(struct umbra_vcpu *vcpu)
{
	umbra_count(vcpu, UMBRA_STAT_HOT_FORGET);
	/* No canonical pc xored with a salt is 0: every salt has bits. */
	for (unsigned int i = 0; i < UMBRA_HOT_ENTRIES; i++)
		vcpu->hot[i].tag = 0;
}

/* --- from instruction to stubs -------------------------------------------------- */

/*
 * CSRs that are plain memory to the switcher: offset from its base, and which
 * bits a write keeps.  writable = 0: reads only.
 */
static bool csr_slot(struct umbra_vcpu *vcpu, u16 csr, u64 *slot, u64 *writable)
{
#define SLOT(field) (offsetof(struct umbra_switch, cpu.field) - SW_SIZE)
#define MSLOT(field) (offsetof(struct umbra_switch, machine.field) - SW_SIZE)
	*writable = 0;
	switch (csr) {
	case VCSR_SSCRATCH:
		*slot = SLOT(sscratch);
		*writable = ~0ULL;
		return true;
	case VCSR_SEPC:
		*slot = SLOT(sepc);
		*writable = ~1ULL;
		return true;
	case VCSR_SCAUSE:
		*slot = SLOT(scause);
		*writable = ~0ULL;
		return true;
	case VCSR_STVAL:
		*slot = SLOT(stval);
		*writable = ~0ULL;
		return true;
	case VCSR_STVEC:
		*slot = SLOT(stvec);
		return true;
	case VCSR_SATP:
		*slot = SLOT(satp);
		return true;
	case VCSR_SIE:
		*slot = SLOT(sie);
		return true;
	case VCSR_SCOUNTEREN:
		*slot = SLOT(scounteren);
		return true;
	case VCSR_SENVCFG:
		*slot = SLOT(senvcfg);
		return true;
	case VCSR_STIMECMP:
		*slot = SLOT(stimecmp);
		return vcpu->feat.sstc;
	case VCSR_MSCRATCH:
		*slot = MSLOT(mscratch);
		*writable = ~0ULL;
		return true;
	case VCSR_MEPC:
		*slot = MSLOT(mepc);
		*writable = ~1ULL;
		return true;
	case VCSR_MCAUSE:
		*slot = MSLOT(mcause);
		*writable = ~0ULL;
		return true;
	case VCSR_MTVAL:
		*slot = MSLOT(mtval);
		*writable = ~0ULL;
		return true;
	case VCSR_MTVEC:
		*slot = MSLOT(mtvec);
		return true;
	case VCSR_MEDELEG:
		*slot = MSLOT(medeleg);
		return true;
	case VCSR_MIDELEG:
		*slot = MSLOT(mideleg);
		return true;
	case VCSR_MIE:
		*slot = MSLOT(mie);
		return true;
	case VCSR_MCOUNTEREN:
		*slot = MSLOT(mcounteren);
		return true;
	case VCSR_MENVCFG:
		*slot = MSLOT(menvcfg);
		return true;
	case VCSR_MHARTID:
		*slot = MSLOT(mhartid);
		return true;
	case VCSR_SIP:
		*slot = offsetof(struct umbra_switch, sip) - SW_SIZE;
		return !vcpu->m;
	}
	return false;
#undef SLOT
#undef MSLOT
}

static u64 stub_rs(struct umbra_vcpu *vcpu, unsigned int reg)
{
	return sw_va(vcpu, umbra_sw_rs) + ((u64)reg << SW_STUB_SHIFT);
}

static u64 stub_rd(struct umbra_vcpu *vcpu, unsigned int reg)
{
	return sw_va(vcpu, umbra_sw_rd) + ((u64)reg << SW_STUB_SHIFT);
}

static bool is_imm(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_CSRRWI || insn->op == UMBRA_OP_CSRRSI ||
	       insn->op == UMBRA_OP_CSRRCI;
}

/* csrrs and csrrc of x0, or of immediate 0, write nothing. */
static bool is_read(const struct umbra_insn *insn)
{
	return insn->op != UMBRA_OP_CSRRW && insn->op != UMBRA_OP_CSRRWI &&
	       !insn->rs1;
}

static bool hot_sstatus(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			struct umbra_hot *hot)
{
	const char *op;

	if (is_read(insn)) {
		hot->first = sw_va(vcpu, umbra_sw_sstatus_read);
		return true;
	}
	/*
	 * The stubs load the root of S-mode when SUM changes, and name it as the
	 * one for ecalls.
	 */
	if (vcpu->cpu->priv != UMBRA_PRIV_S || !umbra_hot_ecall(vcpu))
		return false;
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRWI:
		op = umbra_sw_sstatus_swap;
		break;
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRSI:
		op = insn->rd ? umbra_sw_sstatus_set : umbra_sw_sstatus_or;
		break;
	default:
		op = insn->rd ? umbra_sw_sstatus_clear : umbra_sw_sstatus_andn;
		break;
	}
	hot->first = stub_rs(vcpu, insn->rs1);
	hot->op = sw_va(vcpu, op);
	if (!is_imm(insn))
		return true;
	hot->imm = insn->rs1;
	hot->first = sw_va(vcpu, umbra_sw_imm);
	if (insn->op == UMBRA_OP_CSRRCI && insn->rs1 == V_SIE)
		hot->first = sw_va(vcpu, umbra_sw_sie_clear);
	if (insn->op == UMBRA_OP_CSRRSI && insn->rs1 == V_SIE)
		hot->first = sw_va(vcpu, umbra_sw_sie_set);
	return true;
}

/*
 * Writes that mean more than the register; t4 = operand, NULL: no stub.  Which
 * interrupts a hart with M-mode has is too much for a stub.
 */
static const char *write_stub(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	if (vcpu->cpu->priv != UMBRA_PRIV_S)
		return NULL;
	switch (insn->csr) {
	case VCSR_SIE:
		if (vcpu->m)
			return NULL;
		if (insn->op == UMBRA_OP_CSRRW || insn->op == UMBRA_OP_CSRRWI)
			return umbra_sw_sie_swap;
		if (insn->op == UMBRA_OP_CSRRS || insn->op == UMBRA_OP_CSRRSI)
			return umbra_sw_sie_or;
		return umbra_sw_sie_andn;
	case VCSR_STVEC:
		return insn->op == UMBRA_OP_CSRRW ? umbra_sw_stvec : NULL;
	case VCSR_STIMECMP:
		if (insn->op == UMBRA_OP_CSRRW && vcpu->feat.sstc)
			return umbra_sw_stimecmp;
		return NULL;
	case VCSR_SATP:
		if (insn->op == UMBRA_OP_CSRRW && !insn->rd)
			return umbra_sw_satp_write;
		return NULL;
	}
	return NULL;
}

static bool hot_mstatus(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			struct umbra_hot *hot)
{
	const char *op;

	if (is_read(insn)) {
		hot->first = sw_va(vcpu, umbra_sw_mstatus_read);
		return true;
	}
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRWI:
		op = umbra_sw_mstatus_swap;
		break;
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRSI:
		op = umbra_sw_mstatus_set;
		break;
	default:
		op = umbra_sw_mstatus_clear;
		break;
	}
	hot->op = sw_va(vcpu, op);
	hot->imm = insn->rs1;
	hot->first = is_imm(insn) ? sw_va(vcpu, umbra_sw_imm) :
		     stub_rs(vcpu, insn->rs1);
	return true;
}

static bool hot_csr(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
		    struct umbra_hot *hot)
{
	const char *stub;
	u64 writable;

	if (!umbra_csr_legal(vcpu, insn->csr, !is_read(insn)))
		return false;
	hot->rd = stub_rd(vcpu, insn->rd);
	if (insn->csr == VCSR_MSTATUS)
		return hot_mstatus(vcpu, insn, hot);
	if (insn->csr == VCSR_SSTATUS)
		return hot_sstatus(vcpu, insn, hot);
	if (insn->csr == VCSR_TIME && is_read(insn)) {
		hot->first = sw_va(vcpu, umbra_sw_time);
		return true;
	}
	if (!csr_slot(vcpu, insn->csr, &hot->slot, &writable))
		return false;
	if (is_read(insn)) {
		hot->first = sw_va(vcpu, umbra_sw_read);
		return true;
	}
	if (insn->op == UMBRA_OP_CSRRW && writable) {
		hot->first = stub_rs(vcpu, insn->rs1);
		hot->op = sw_va(vcpu, umbra_sw_swap);
		hot->imm = writable;
		return true;
	}
	stub = write_stub(vcpu, insn);
	if (!stub)
		return false;
	hot->first = is_imm(insn) ? sw_va(vcpu, umbra_sw_imm) :
		     stub_rs(vcpu, insn->rs1);
	hot->op = sw_va(vcpu, stub);
	hot->imm = insn->rs1;
	if (insn->csr == VCSR_SATP)
		hot->kind = UMBRA_HOT_SATP;
	return true;
}

static bool hot_fill(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
		     struct umbra_hot *hot)
{
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRC:
	case UMBRA_OP_CSRRWI:
	case UMBRA_OP_CSRRSI:
	case UMBRA_OP_CSRRCI:
		return hot_csr(vcpu, insn, hot);
	case UMBRA_OP_SRET:
		hot->first = sw_va(vcpu, umbra_sw_sret);
		return vcpu->cpu->priv == UMBRA_PRIV_S &&
		       !(vcpu->m && (vcpu->m->mstatus & V_TSR));
	case UMBRA_OP_MRET:
		hot->first = sw_va(vcpu, umbra_sw_mret);
		return vcpu->cpu->priv == UMBRA_PRIV_M;
	case UMBRA_OP_WFI:
		hot->first = sw_va(vcpu, umbra_sw_wfi);
		return vcpu->cpu->priv == UMBRA_PRIV_S &&
		       !(vcpu->m && (vcpu->m->mstatus & V_TW));
	case UMBRA_OP_SINVAL_VMA:
		if (!vcpu->feat.svinval)
			return false;
		fallthrough;
	case UMBRA_OP_SFENCE_VMA:
		hot->first = sw_va(vcpu, umbra_sw_sfence);
		hot->slot = insn->rs1;
		hot->imm = insn->rs2;
		hot->kind = UMBRA_HOT_FENCE;
		return vcpu->cpu->priv == UMBRA_PRIV_S &&
		       !(vcpu->m && (vcpu->m->mstatus & V_TVM));
	}
	return false;
}

static struct umbra_hot *hot_place(struct umbra_vcpu *vcpu, u64 tag, bool other)
{
	u64 index = (tag >> 1) & (UMBRA_HOT_ENTRIES - 1);

	return &vcpu->hot[other ? index ^ (UMBRA_HOT_ENTRIES / 2) : index];
}

static struct umbra_hot *hot_find(struct umbra_vcpu *vcpu, u64 tag)
{
	for (int other = 0; other < 2; other++)
		if (hot_place(vcpu, tag, other)->tag == tag)
			return hot_place(vcpu, tag, other);
	return NULL;
}

/*
 * Runs of privileged instructions are answered in one trap: each entry names
 * the next one's, within a page, which is as far as one translation goes.
 * Whoever replaces an entry cuts the run before it.
 */
static void hot_chain(struct umbra_vcpu *vcpu, u64 pc, struct umbra_hot *hot)
{
	struct umbra_hot *before = hot_find(vcpu, hot->tag - 4);
	struct umbra_hot *after = hot_find(vcpu, hot->tag + 4);
	u64 table = vcpu->sw->base_va;

	if (before && offset_in_page(pc) >= 4)
		before->next = table + ((u64)(hot - vcpu->hot) << HOT_SHIFT);
	if (after && offset_in_page(pc) + 8 <= PAGE_SIZE)
		hot->next = table + ((u64)(after - vcpu->hot) << HOT_SHIFT);
}

static void hot_unchain(struct umbra_vcpu *vcpu, const struct umbra_hot *hot)
{
	struct umbra_hot *before = hot->tag ? hot_find(vcpu, hot->tag - 4) : NULL;

	if (before)
		before->next = 0;
}

bool umbra_switch_learn(struct umbra_vcpu *vcpu, u64 pc,
			const struct umbra_insn *insn)
{
	bool machine = vcpu->cpu->priv == UMBRA_PRIV_M;
	u64 salt = machine ? vcpu->sw->salt_m : vcpu->sw->salt_s;
	struct umbra_hot hot = {}, *place, *other;

	/* The stubs trust their entries: nothing privileged in U-mode. */
	if (vcpu->cpu->priv == UMBRA_PRIV_U || !salt)
		return false;
	if (!hot_fill(vcpu, insn, &hot))
		return false;
	hot.tag = pc ^ salt;
	if (hot_find(vcpu, hot.tag))
		return false;
	/* Two places; when both are taken they take turns. */
	place = hot_place(vcpu, hot.tag, false);
	other = hot_place(vcpu, hot.tag, true);
	if (place->tag && place->tag != hot.tag &&
	    (!other->tag || other->tag == hot.tag || vcpu->hot_turn++ % 2))
		place = other;
	hot_unchain(vcpu, place);
	*place = hot;
	hot_chain(vcpu, pc, place);
	umbra_count(vcpu, UMBRA_STAT_HOT_LEARN);
	return true;
}
