// SPDX-License-Identifier: GPL-2.0
/*
 * Setting up the switcher: its text pages and each vCPU's data pages.
 *
 * Called at module load, at vCPU creation and by shadow_mmu (which maps it and
 * chooses its address).  All per-vCPU functions run in the vCPU's own thread.
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
CHECK(cpu.sip, SW_SOFT_SIP);
CHECK(cpu.stimecmp, SW_STIMECMP);
CHECK(exit_scause, SW_EXIT_SCAUSE);
CHECK(exit_stval, SW_EXIT_STVAL);
CHECK(hw_sstatus, SW_HW_SSTATUS);
CHECK(fpv_mask, SW_FPV_MASK);
CHECK(fpv_writable, SW_FPV_WRITABLE);
CHECK(salt, SW_SALT);
CHECK(vec_u, SW_VEC_U);
CHECK(vec_s, SW_VEC_S);
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
CHECK(vec_s, SW_VEC_S);
CHECK(stip_fell, SW_STIP_FELL);
CHECK(fast_irqs, SW_FAST_IRQS);
CHECK(timer_hw, SW_TIMER_HW);
CHECK(deadline, SW_DEADLINE);
CHECK(host_stimecmp, SW_HOST_STIMECMP);
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
static_assert(UMBRA_SHADOW_HASH * sizeof(u32) == UMBRA_SW_HASH_PAGES * 4096);
static_assert(sizeof(struct umbra_hot) == 1 << HOT_SHIFT);
static_assert(offsetof(struct umbra_hot, code) == HOT_CODE);

#define SW_TEXT_ORDER	get_order(UMBRA_SW_TEXT_PAGES * PAGE_SIZE)

#define NOP		0x13
#define SFENCE_OPERANDS	(31 << 15 | 31 << 20)

static struct page *text_pages;

static u32 *copied_insn(const char *insn)
{
	return page_address(text_pages) + (insn - umbra_sw_start);
}

/* What the host does not need, or cannot be trusted with. */
static void patch_fences(void)
{
	const char *const *at;

	for (at = umbra_selective_fences;
	     umbra_host.full_fences && at < umbra_selective_fences_end; at++)
		*copied_insn(*at) &= ~SFENCE_OPERANDS;
	for (at = umbra_view_fences; umbra_host.asids && at < umbra_view_fences_end; at++)
		*copied_insn(*at) = NOP;
}

int umbra_switch_init(void)
{
	size_t size = umbra_sw_end - umbra_sw_start;

	if (size > UMBRA_SW_TEXT_PAGES * PAGE_SIZE)
		return -E2BIG;
	text_pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, SW_TEXT_ORDER);
	if (!text_pages)
		return -ENOMEM;
	memcpy(page_address(text_pages), umbra_sw_start, size);
	patch_fences();
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
	vcpu->hot_raw = kvcalloc(UMBRA_HOT_ENTRIES, sizeof(*vcpu->hot_raw), GFP_KERNEL_ACCOUNT);
	if (!vcpu->sw_area || !vcpu->hot_raw)
		return -ENOMEM;
	vcpu->sw = vcpu->sw_area + PAGE_SIZE - SW_SIZE;
	vcpu->cpu = &vcpu->sw->cpu;
	vcpu->hot = vcpu->sw_area + PAGE_SIZE;
	vcpu->mmu.fast = (void *)vcpu->hot + FAST_OFFSET;
	vcpu->mmu.rmap = (void *)vcpu->mmu.fast + UMBRA_SW_FAST_PAGES * PAGE_SIZE;
	vcpu->mmu.hash = (void *)vcpu->mmu.rmap + UMBRA_SW_RMAP_PAGES * PAGE_SIZE;
	vcpu->sw->has_senvcfg = umbra_host.senvcfg;
	vcpu->sw->asids = umbra_host.asids;
	vcpu->sw->fpv_mask = V_FPV;
	return 0;
}

void umbra_switch_destroy(struct umbra_vcpu *vcpu)
{
	kvfree(vcpu->hot_raw);
	vfree(vcpu->sw_area);
}

phys_addr_t umbra_switch_page(struct umbra_vcpu *vcpu, unsigned int n)
{
	if (n < UMBRA_SW_TEXT_PAGES)
		return page_to_phys(text_pages) + n * PAGE_SIZE;
	n -= UMBRA_SW_TEXT_PAGES;
	return page_to_phys(vmalloc_to_page(vcpu->sw_area + n * PAGE_SIZE));
}

u64 umbra_switch_label(struct umbra_vcpu *vcpu, const char *label)
{
	return vcpu->sw_va + (label - umbra_sw_start);
}

void umbra_switch_place(struct umbra_vcpu *vcpu, u64 va)
{
	vcpu->sw_va = va;
	vcpu->sw->base_va = va + (UMBRA_SW_TEXT_PAGES + 1) * PAGE_SIZE;
	vcpu->sw->vec_u = umbra_switch_label(vcpu, umbra_sw_trap_u);
	vcpu->sw->vec_shared = umbra_switch_label(vcpu, umbra_sw_trap_s);
	vcpu->sw->vec_salted = umbra_switch_label(vcpu, umbra_sw_trap_salted);
	/* umbra_mmu_load() says which one, but for probe.c's vCPU. */
	vcpu->sw->trap_va = vcpu->sw->vec_u;
	vcpu->sw->arrive_va = umbra_switch_label(vcpu, umbra_sw_arrive);
	vcpu->sw->abort_va = umbra_switch_label(vcpu, umbra_sw_abort);
	umbra_switch_forget(vcpu);
}
