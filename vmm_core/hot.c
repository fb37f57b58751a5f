// SPDX-License-Identifier: GPL-2.0
/*
 * The hot table: for each rewritten site of S-mode or M-mode that was met, a few
 * instructions which do what the original does, on the state in the switcher's
 * area.  switch_asm.S finds an entry by the pc and jumps into it.
 *
 * An entry is made when its site comes to the run loop, in the vCPU's own
 * thread.  It is 14 instructions at most: the operation, or a call of one in
 * switch_asm.S, and the way back to the guest or to the entry of the next
 * instruction.
 *
 * What is put into entries are the opcodes below with register numbers and
 * immediates that umbra_decode() took out of five bits, and offsets and addresses
 * of ours: nothing else of the guest's gets there.  The switcher's address space
 * maps the table without W, the host's without X.
 */
#include "vmm.h"

/* Registers that have a meaning in entries; switch_asm.S has the others. */
#define ZERO	0
#define T3	28
#define T4	29
#define T5	30
#define T6	31

/* --- instructions ---------------------------------------------------------------- */

#define OP_IMM(f3, rd, rs, imm) \
	(((u32)(imm) & 0xfff) << 20 | (rs) << 15 | (f3) << 12 | (rd) << 7 | 0x13)
#define OP_REG(f3, rd, rs1, rs2) \
	((u32)(rs2) << 20 | (rs1) << 15 | (f3) << 12 | (rd) << 7 | 0x33)
#define OP_CSR(f3, rd, csr, rs)	((u32)(csr) << 20 | (rs) << 15 | (f3) << 12 | (rd) << 7 | 0x73)

#define ADDI(rd, rs, imm)	OP_IMM(0, rd, rs, imm)
#define MV(rd, rs)		ADDI(rd, rs, 0)
#define LI(rd, imm)		ADDI(rd, ZERO, imm)
#define ORI(rd, rs, imm)	OP_IMM(6, rd, rs, imm)
#define ANDI(rd, rs, imm)	OP_IMM(7, rd, rs, imm)
#define ADD(rd, rs1, rs2)	OP_REG(0, rd, rs1, rs2)
#define OR(rd, rs1, rs2)	OP_REG(6, rd, rs1, rs2)
#define AND(rd, rs1, rs2)	OP_REG(7, rd, rs1, rs2)
#define CSRR(rd, csr)		OP_CSR(2, rd, csr, ZERO)
#define CSRW(csr, rs)		OP_CSR(1, ZERO, csr, rs)
#define CSRRW(rd, csr, rs)	OP_CSR(1, rd, csr, rs)
#define LD(rd, off)		(((u32)(off) & 0xfff) << 20 | T6 << 15 | 3 << 12 | (rd) << 7 | 0x03)
/* Over the next @n instructions. */
#define SKIP(f3, rs, n)		((u32)(rs) << 15 | (f3) << 12 | 4 * ((n) + 1) << 7 | 0x63)
#define SKIP_IF_ZERO(rs, n)	SKIP(0, rs, n)
#define SKIP_UNLESS_ZERO(rs, n)	SKIP(1, rs, n)
#define SRET			0x10200073u

static u32 sd(unsigned int rs, int off)
{
	return ((u32)off >> 5 & 0x7f) << 25 | (u32)rs << 20 | T6 << 15 | 3 << 12 |
	       ((u32)off & 0x1f) << 7 | 0x23;
}

static u32 jal(unsigned int rd, s64 off)
{
	return (u32)(off >> 20 & 1) << 31 | (u32)(off >> 1 & 0x3ff) << 21 |
	       (u32)(off >> 11 & 1) << 20 | (u32)(off >> 12 & 0xff) << 12 |
	       rd << 7 | 0x6f;
}

/* Everything that an entry jumps to is near: text, area and table together. */
static_assert(UMBRA_SW_PAGES * 4096 < 1 << 20);

/* An entry in the making. */
struct builder {
	struct umbra_vcpu *vcpu;
	u64 va;			/* of the code */
	u32 code[HOT_INSNS];
	unsigned int nr;
};

static void put(struct builder *b, u32 insn)
{
	/* The longest has 12; hot_end() looks at what came out. */
	if (b->nr < HOT_INSNS)
		b->code[b->nr] = insn;
	b->nr++;
}

/* For fast.c; the entry is a short one. */
static void put_note(struct builder *b, enum umbra_hot_kind kind, unsigned int regs)
{
	b->code[HOT_INSNS - 1] = HOT_NOTE(kind, regs);
}

static void put_jump(struct builder *b, unsigned int rd, const char *label)
{
	put(b, jal(rd, umbra_switch_label(b->vcpu, label) - (b->va + 4 * b->nr)));
}

static void put_call(struct builder *b, const char *op)
{
	put_jump(b, T5, op);
}

/* Leave the instruction to C unless @reg is 0. */
static void put_bail_unless_zero(struct builder *b, unsigned int reg)
{
	put(b, SKIP_IF_ZERO(reg, 1));
	put_jump(b, ZERO, umbra_sw_bail);
}

/* The register that holds the guest's @reg: itself, or @tmp with its value. */
static unsigned int put_get(struct builder *b, unsigned int reg, unsigned int tmp)
{
	if (reg < T3)
		return reg;
	put(b, reg == T6 ? CSRR(tmp, VCSR_SSCRATCH) : LD(tmp, SW_GPR(reg)));
	return tmp;
}

/* The same into @tmp in any case. */
static void put_copy(struct builder *b, unsigned int reg, unsigned int tmp)
{
	unsigned int from = put_get(b, reg, tmp);

	if (from != tmp)
		put(b, MV(tmp, from));
}

/* The guest's @reg = @from. */
static void put_set(struct builder *b, unsigned int reg, unsigned int from)
{
	if (reg == T6)
		put(b, CSRW(VCSR_SSCRATCH, from));
	else if (reg >= T3)
		put(b, sd(from, SW_GPR(reg)));
	else if (reg != ZERO)
		put(b, MV(reg, from));
}

/* t3 = sstatus as the guest reads it, t5 = the switcher's part of it */
static void put_full_sstatus(struct builder *b)
{
	put(b, CSRR(T3, VCSR_SSTATUS));
	put(b, LD(T5, SW_FPV_MASK));
	put(b, AND(T3, T3, T5));
	put(b, LD(T5, SW_SSTATUS));
	put(b, OR(T3, T3, T5));
}

/* --- the table -------------------------------------------------------------------- */

void umbra_switch_forget(struct umbra_vcpu *vcpu)
{
	umbra_count(vcpu, UMBRA_STAT_HOT_FORGET);
	vcpu->sw->hot_changes++;
	for (unsigned int i = 0; i < UMBRA_HOT_ENTRIES; i++)
		vcpu->hot[i].tag = HOT_EMPTY;
}

/* --- from instruction to entry ----------------------------------------------------- */

/*
 * CSRs that are plain memory to the switcher: offset from its base, and which
 * bits a write keeps.  writable = 0: reads only.
 */
static bool csr_slot(struct umbra_vcpu *vcpu, u16 csr, int *slot, u64 *writable)
{
#define SLOT(field) ((int)offsetof(struct umbra_switch, cpu.field) - SW_SIZE)
#define MSLOT(field) ((int)offsetof(struct umbra_switch, machine.field) - SW_SIZE)
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
		*slot = (int)offsetof(struct umbra_switch, sip) - SW_SIZE;
		return !vcpu->m;
	}
	return false;
#undef SLOT
#undef MSLOT
}

static bool is_imm(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_CSRRWI || insn->op == UMBRA_OP_CSRRSI ||
	       insn->op == UMBRA_OP_CSRRCI;
}

static bool is_swap(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_CSRRW || insn->op == UMBRA_OP_CSRRWI;
}

static bool is_set(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_CSRRS || insn->op == UMBRA_OP_CSRRSI;
}

/* csrrs and csrrc of x0, or of immediate 0, write nothing. */
static bool is_read(const struct umbra_insn *insn)
{
	return !is_swap(insn) && !insn->rs1;
}

/* A call of @op, a CSR write that means more than the register. */
static void make_call(struct builder *b, const struct umbra_insn *insn, const char *op)
{
	if (is_imm(insn))
		put(b, LI(T3, insn->rs1));
	else
		put_copy(b, insn->rs1, T3);
	put_call(b, op);
	put_set(b, insn->rd, T3);
}

static void make_read(struct builder *b, unsigned int rd, int slot)
{
	if (rd && rd < T3) {
		put(b, LD(rd, slot));
	} else if (rd) {
		put(b, LD(T3, slot));
		put_set(b, rd, T3);
	}
}

static void make_swap(struct builder *b, const struct umbra_insn *insn, int slot,
		      u64 writable)
{
	unsigned int from = put_get(b, insn->rs1, T3);

	/* What these registers do not keep is bit 0. */
	if (~writable) {
		put(b, ANDI(T3, from, -2));
		from = T3;
	}
	if (insn->rd)
		put(b, LD(T5, slot));
	put(b, sd(from, slot));
	put_set(b, insn->rd, T5);
}

/* local_irq_save(), local_irq_disable() */
static void make_sie_clear(struct builder *b, unsigned int rd)
{
	if (rd)
		put_full_sstatus(b);
	else
		put(b, LD(T5, SW_SSTATUS));
	put(b, ANDI(T5, T5, ~V_SIE));
	put(b, sd(T5, SW_SSTATUS));
	put_set(b, rd, T3);
}

/*
 * local_irq_enable().  What is pending is taken right behind it; where M-mode
 * delegates interrupts the run loop does that.
 */
static void make_sie_set(struct builder *b, unsigned int rd)
{
	put(b, LD(T5, SW_IRQ_PENDING));
	if (rd || b->vcpu->m) {
		put_bail_unless_zero(b, T5);
	} else {
		put(b, SKIP_IF_ZERO(T5, 1));
		put_jump(b, ZERO, umbra_sw_irq);
	}
	if (rd)
		put_full_sstatus(b);
	else
		put(b, LD(T5, SW_SSTATUS));
	put(b, ORI(T5, T5, V_SIE));
	put(b, sd(T5, SW_SSTATUS));
	put_set(b, rd, T3);
}

/*
 * csrs sstatus, rs: local_irq_restore(), if nothing is set but SIE and nothing
 * pending.
 */
static void make_irq_restore(struct builder *b, unsigned int rs)
{
	put(b, ANDI(T3, rs, ~V_SIE));
	put(b, LD(T5, SW_IRQ_PENDING));
	put(b, OR(T3, T3, T5));
	put(b, SKIP_IF_ZERO(T3, 3));
	put(b, MV(T3, rs));
	put_call(b, umbra_sw_sstatus_or);
	put(b, SKIP_IF_ZERO(ZERO, 3));
	put(b, LD(T3, SW_SSTATUS));
	put(b, OR(T3, T3, rs));
	put(b, sd(T3, SW_SSTATUS));
}

static bool make_sstatus(struct builder *b, const struct umbra_insn *insn)
{
	if (is_read(insn)) {
		put_full_sstatus(b);
		put_set(b, insn->rd, T3);
		return true;
	}
	/*
	 * The operations load the root of S-mode when SUM changes, and name it as
	 * the one for ecalls.
	 */
	if (b->vcpu->cpu->priv != UMBRA_PRIV_S || !umbra_hot_ecall(b->vcpu))
		return false;
	if (is_swap(insn)) {
		make_call(b, insn, umbra_sw_sstatus_swap);
	} else if (is_set(insn)) {
		if (is_imm(insn) && insn->rs1 == V_SIE)
			make_sie_set(b, insn->rd);
		else if (insn->rd)
			make_call(b, insn, umbra_sw_sstatus_set);
		else if (is_imm(insn) || insn->rs1 >= T3)
			make_call(b, insn, umbra_sw_sstatus_or);
		else
			make_irq_restore(b, insn->rs1);
	} else {
		if (is_imm(insn) && insn->rs1 == V_SIE)
			make_sie_clear(b, insn->rd);
		else
			make_call(b, insn, insn->rd ? umbra_sw_sstatus_clear :
						      umbra_sw_sstatus_andn);
	}
	return true;
}

static void make_mstatus(struct builder *b, const struct umbra_insn *insn)
{
	if (is_read(insn)) {
		put_full_sstatus(b);
		put(b, LD(T5, SW_M_STATUS));
		put(b, OR(T3, T3, T5));
		put_set(b, insn->rd, T3);
	} else if (is_swap(insn)) {
		make_call(b, insn, umbra_sw_mstatus_swap);
	} else {
		make_call(b, insn, is_set(insn) ? umbra_sw_mstatus_set :
						  umbra_sw_mstatus_clear);
	}
}

/*
 * Writes that mean more than the register; NULL: C does it.  Which interrupts a
 * hart with M-mode has is too much for the switcher.
 */
static const char *write_op(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	if (vcpu->cpu->priv != UMBRA_PRIV_S)
		return NULL;
	if (insn->csr == VCSR_SIE && !vcpu->m)
		return is_swap(insn) ? umbra_sw_sie_swap :
		       is_set(insn) ? umbra_sw_sie_or : umbra_sw_sie_andn;
	if (insn->csr == VCSR_STVEC && insn->op == UMBRA_OP_CSRRW)
		return umbra_sw_stvec;
	if (insn->csr == VCSR_STIMECMP && insn->op == UMBRA_OP_CSRRW &&
	    vcpu->feat.sstc)
		return umbra_sw_stimecmp;
	return NULL;
}

/*
 * The following are true if @insn is hot.  *@ends: the entry does not go on with
 * the next instruction.
 */
static bool make_csr(struct builder *b, const struct umbra_insn *insn, bool *ends)
{
	struct umbra_vcpu *vcpu = b->vcpu;
	const char *op;
	u64 writable;
	int slot;

	if (!umbra_csr_legal(vcpu, insn->csr, !is_read(insn)))
		return false;
	if (insn->csr == VCSR_MSTATUS) {
		make_mstatus(b, insn);
		return true;
	}
	if (insn->csr == VCSR_SSTATUS)
		return make_sstatus(b, insn);
	if (insn->csr == VCSR_TIME && is_read(insn)) {
		put(b, CSRR(T3, VCSR_TIME));
		put(b, LD(T5, SW_TIME_OFFSET));
		put(b, ADD(T3, T3, T5));
		put_set(b, insn->rd, T3);
		return true;
	}
	if (!csr_slot(vcpu, insn->csr, &slot, &writable))
		return false;
	if (is_read(insn)) {
		make_read(b, insn->rd, slot);
		return true;
	}
	if (insn->op == UMBRA_OP_CSRRW && writable) {
		make_swap(b, insn, slot, writable);
		return true;
	}
	if (insn->csr == VCSR_SATP && insn->op == UMBRA_OP_CSRRW && !insn->rd &&
	    vcpu->cpu->priv == UMBRA_PRIV_S) {
		put_copy(b, insn->rs1, T3);
		put_jump(b, ZERO, umbra_sw_satp_write);
		put_note(b, UMBRA_HOT_SATP, insn->rs1);
		*ends = true;
		return true;
	}
	op = write_op(vcpu, insn);
	if (!op)
		return false;
	make_call(b, insn, op);
	return true;
}

static bool make_system(struct builder *b, const struct umbra_insn *insn, bool *ends)
{
	struct umbra_vcpu *vcpu = b->vcpu;
	u64 mstatus = vcpu->m ? vcpu->m->mstatus : 0;
	u8 priv = vcpu->cpu->priv;

	*ends = true;
	switch (insn->op) {
	case UMBRA_OP_SRET:
		put_jump(b, ZERO, umbra_sw_sret);
		return priv == UMBRA_PRIV_S && !(mstatus & V_TSR);
	case UMBRA_OP_MRET:
		put_jump(b, ZERO, umbra_sw_mret);
		return priv == UMBRA_PRIV_M;
	case UMBRA_OP_WFI:
		/* With something pending it is over at once. */
		*ends = false;
		put(b, LD(T5, SW_IRQ_PENDING));
		put(b, SKIP_UNLESS_ZERO(T5, 1));
		put_jump(b, ZERO, umbra_sw_bail);
		return priv == UMBRA_PRIV_S && !(mstatus & V_TW);
	case UMBRA_OP_SINVAL_VMA:
		if (!vcpu->feat.svinval)
			return false;
		fallthrough;
	case UMBRA_OP_SFENCE_VMA:
		put(b, LI(T3, insn->rs1 | insn->rs2 << 5));
		put_jump(b, ZERO, umbra_sw_sfence);
		put_note(b, UMBRA_HOT_FENCE, insn->rs1 | insn->rs2 << 5);
		return priv == UMBRA_PRIV_S && !(mstatus & V_TVM);
	}
	*ends = false;
	return false;
}

static bool make(struct builder *b, const struct umbra_insn *insn, bool *ends)
{
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRC:
	case UMBRA_OP_CSRRWI:
	case UMBRA_OP_CSRRSI:
	case UMBRA_OP_CSRRCI:
		return make_csr(b, insn, ends);
	}
	return make_system(b, insn, ends);
}

/* --- runs of entries ------------------------------------------------------------------ */

/* As umbra_sw_done, which is for those that have no room. */
static const u32 way_back[] = {
	CSRW(VCSR_SEPC, T4), LD(T3, SW_GPR(T3)), LD(T4, SW_GPR(T4)), LD(T5, SW_GPR(T5)),
	CSRRW(T6, VCSR_SSCRATCH, T6), SRET,
};

/* The instruction is done: on behind it.  Returns where a run goes on instead. */
static unsigned int put_end(struct builder *b)
{
	unsigned int link;

	put(b, ADDI(T4, T4, 4));
	link = b->nr;
	if (b->nr + ARRAY_SIZE(way_back) <= HOT_INSNS)
		for (int i = 0; i < ARRAY_SIZE(way_back); i++)
			put(b, way_back[i]);
	else
		put_jump(b, ZERO, umbra_sw_done);
	return link;
}

static u64 hot_va(struct umbra_vcpu *vcpu, const struct umbra_hot *hot)
{
	return vcpu->sw->base_va + (hot - vcpu->hot) * sizeof(*hot) + HOT_CODE;
}

/* Where the run of an entry goes on: at @next, or back in the guest. */
static void hot_link(struct umbra_vcpu *vcpu, struct umbra_hot *hot,
		     const struct umbra_hot *next)
{
	unsigned int link = vcpu->hot_link[hot - vcpu->hot];
	u64 va = hot_va(vcpu, hot) + 4 * link;

	if (!link)
		return;
	if (next)
		hot->code[link] = jal(ZERO, hot_va(vcpu, next) - va);
	else if (link + ARRAY_SIZE(way_back) <= HOT_INSNS)
		hot->code[link] = way_back[0];
	else
		hot->code[link] = jal(ZERO, umbra_switch_label(vcpu, umbra_sw_done) - va);
}

static struct umbra_hot *hot_place(struct umbra_vcpu *vcpu, u64 tag, bool other)
{
	return &vcpu->hot[umbra_hot_index(tag, other)];
}

static struct umbra_hot *hot_find(struct umbra_vcpu *vcpu, u64 tag)
{
	for (int other = 0; other < 2; other++)
		if (hot_place(vcpu, tag, other)->tag == tag)
			return hot_place(vcpu, tag, other);
	return NULL;
}

/*
 * Runs of privileged instructions are answered in one trap: each entry goes on
 * in the next one's, within a page, which is as far as one translation goes.
 * Whoever replaces an entry cuts the run before it.
 */
static void hot_chain(struct umbra_vcpu *vcpu, u64 pc, struct umbra_hot *hot)
{
	struct umbra_hot *before = hot_find(vcpu, hot->tag - 4);
	struct umbra_hot *after = hot_find(vcpu, hot->tag + 4);

	if (before && offset_in_page(pc) >= 4)
		hot_link(vcpu, before, hot);
	if (after && offset_in_page(pc) + 8 <= PAGE_SIZE)
		hot_link(vcpu, hot, after);
}

static void hot_unchain(struct umbra_vcpu *vcpu, const struct umbra_hot *hot)
{
	struct umbra_hot *before = NULL;

	if (hot->tag != HOT_EMPTY)
		before = hot_find(vcpu, hot->tag - 4);
	if (before)
		hot_link(vcpu, before, NULL);
}

/* Two places; when both are taken they take turns, or it has none. */
static struct umbra_hot *hot_choose(struct umbra_vcpu *vcpu, u64 tag, bool wanted)
{
	struct umbra_hot *first = hot_place(vcpu, tag, false);
	struct umbra_hot *other = hot_place(vcpu, tag, true);

	if (first->tag == tag || first->tag == HOT_EMPTY)
		return first;
	if (other->tag == tag || other->tag == HOT_EMPTY)
		return other;
	if (!wanted)
		return NULL;
	return vcpu->hot_turn++ % 2 ? other : first;
}

static u64 hot_tag(struct umbra_vcpu *vcpu, u64 pc)
{
	bool machine = vcpu->cpu->priv == UMBRA_PRIV_M;

	return pc ^ (machine ? vcpu->sw->salt_m : vcpu->sw->salt_s);
}

bool umbra_switch_hot(struct umbra_vcpu *vcpu, u64 pc, u32 *raw)
{
	struct umbra_hot *hot;

	if (vcpu->cpu->priv == UMBRA_PRIV_U)
		return false;
	hot = hot_find(vcpu, hot_tag(vcpu, pc));
	if (hot)
		*raw = vcpu->hot_raw[hot - vcpu->hot];
	return hot;
}

bool umbra_switch_learn(struct umbra_vcpu *vcpu, u64 pc,
			const struct umbra_insn *insn, bool wanted)
{
	u64 tag = hot_tag(vcpu, pc);
	struct builder b = { .vcpu = vcpu };
	struct umbra_hot *hot;
	unsigned int link = 0;
	bool ends = false;

	/* Entries are trusted: nothing privileged in U-mode. */
	if (vcpu->cpu->priv == UMBRA_PRIV_U)
		return false;
	if (hot_find(vcpu, tag))
		return false;
	hot = hot_choose(vcpu, tag, wanted);
	if (!hot)
		return false;
	b.va = hot_va(vcpu, hot);
	if (!make(&b, insn, &ends))
		return false;
	if (!ends)
		link = put_end(&b);
	if (WARN_ON_ONCE(b.nr > HOT_INSNS))
		return false;
	vcpu->sw->hot_changes++;
	hot_unchain(vcpu, hot);
	hot->tag = tag;
	memcpy(hot->code, b.code, sizeof(hot->code));
	vcpu->hot_link[hot - vcpu->hot] = link;
	vcpu->hot_raw[hot - vcpu->hot] = insn->raw;
	hot_chain(vcpu, pc, hot);
	vcpu->fence_i = true;
	umbra_count(vcpu, UMBRA_STAT_HOT_LEARN);
	return true;
}
