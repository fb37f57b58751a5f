// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_ONE_REG, KVM_SET_ONE_REG, KVM_GET_REG_LIST: register ids, sizes and
 * errors as KVM's RISC-V port has them.
 *
 * Called with vcpu->mutex held, the vCPU not loaded.
 */
#include <linux/uaccess.h>
#include <asm/kvm.h>

#include "vmm.h"

#define REG_TYPE(id)	((id) & KVM_REG_RISCV_TYPE_MASK)
#define REG_SUB(id)	((id) & KVM_REG_RISCV_SUBTYPE_MASK)
#define REG_NUM(id)	((id) & 0xffff)

#define ISA_MAX		80	/* one more than the newest id KVM knows */
#define SBI_MAX		UMBRA_SBI_EXTS

/* --- what the configuration means ------------------------------------------------- */

static const struct { u8 ext; char letter; } single_letters[] = {
	{ KVM_RISCV_ISA_EXT_A, 'a' }, { KVM_RISCV_ISA_EXT_C, 'c' },
	{ KVM_RISCV_ISA_EXT_D, 'd' }, { KVM_RISCV_ISA_EXT_F, 'f' },
	{ KVM_RISCV_ISA_EXT_I, 'i' }, { KVM_RISCV_ISA_EXT_M, 'm' },
	{ KVM_RISCV_ISA_EXT_V, 'v' },
};

static u64 misa_bits(const struct umbra_vcpu *vcpu)
{
	u64 val = 0;

	for (int i = 0; i < ARRAY_SIZE(single_letters); i++)
		if (umbra_isa_test(vcpu->isa, single_letters[i].ext))
			val |= BIT_ULL(single_letters[i].letter - 'a');
	return val;
}

void umbra_isa_apply(struct umbra_vcpu *vcpu)
{
	struct umbra_cpu_features *feat = &vcpu->feat;

	feat->fs = umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_F) ||
		   umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_D);
	feat->vs = umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_V);
	/* What is not there reads Off, and is off in hardware. */
	if (!feat->fs)
		vcpu->cpu->sstatus &= ~V_FS;
	if (!feat->vs)
		vcpu->cpu->sstatus &= ~V_VS;
	feat->sstc = umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_SSTC);
	/* With M-mode it would come with mhpmevent, which nobody has. */
	feat->sscofpmf = !vcpu->m && umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_SSCOFPMF);
	feat->svinval = umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_SVINVAL);
	feat->svade = !umbra_isa_test(vcpu->isa, UMBRA_ISA_SVADU);
	feat->satp_modes = GENMASK_ULL(vcpu->satp_mode, V_SATP_SV39);
	feat->misa = V_MISA_MXL_64 | V_MISA_S | V_MISA_U | misa_bits(vcpu);
	feat->mvendorid = umbra_host.mvendorid;
	feat->marchid = umbra_host.marchid;
	feat->mimpid = umbra_host.mimpid;
	feat->senvcfg = V_ENVCFG_FIOM;
	if (umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_ZICBOM))
		feat->senvcfg |= V_ENVCFG_CBIE | V_ENVCFG_CBCFE;
	if (umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_ZICBOZ))
		feat->senvcfg |= V_ENVCFG_CBZE;
	/* The reset value follows the extension until the hart runs. */
	if (vcpu->m && !vcpu->ran_once)
		vcpu->m->menvcfg = feat->svade ? 0 : V_ENVCFG_ADUE;
}

/* --- config -------------------------------------------------------------------------- */

static void isa_clear(struct umbra_vcpu *vcpu, unsigned int ext)
{
	vcpu->isa[ext / 64] &= ~BIT_ULL(ext % 64);
}

static int config_get(struct umbra_vcpu *vcpu, u64 num, u64 *val)
{
	switch (num) {
	case KVM_REG_RISCV_CONFIG_REG(isa):
		*val = misa_bits(vcpu);
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(zicbom_block_size):
		if (!umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_ZICBOM))
			return -ENOENT;
		*val = umbra_host.zicbom_block;
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(zicboz_block_size):
		if (!umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_ZICBOZ))
			return -ENOENT;
		*val = umbra_host.zicboz_block;
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(mvendorid):
		*val = umbra_host.mvendorid;
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(marchid):
		*val = umbra_host.marchid;
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(mimpid):
		*val = umbra_host.mimpid;
		return 0;
	case KVM_REG_RISCV_CONFIG_REG(satp_mode):
		*val = vcpu->satp_mode;
		return 0;
	}
	return -ENOENT;
}

static int config_set(struct umbra_vcpu *vcpu, u64 num, u64 val)
{
	u64 now;
	int ret = config_get(vcpu, num, &now);

	if (ret)
		return ret;
	if (num == KVM_REG_RISCV_CONFIG_REG(isa)) {
		/* Single letters may be taken away, never added. */
		if (val == now)
			return 0;
		if (vcpu->ran_once)
			return -EBUSY;
		if (val & ~now)
			return -EINVAL;
		/* What cannot be taken from U-mode stays. */
		if ((now & ~val) & ~(BIT('d' - 'a') | BIT('f' - 'a') | BIT('v' - 'a')))
			return -EINVAL;
		for (int i = 0; i < ARRAY_SIZE(single_letters); i++)
			if (!(val & BIT_ULL(single_letters[i].letter - 'a')))
				isa_clear(vcpu, single_letters[i].ext);
		umbra_isa_apply(vcpu);
		return 0;
	}
	if (num == KVM_REG_RISCV_CONFIG_REG(satp_mode)) {
		if (val == now)
			return 0;
		if (vcpu->ran_once)
			return -EBUSY;
		if (val < V_SATP_SV39 || val > umbra_host.satp_mode)
			return -EINVAL;
		vcpu->satp_mode = val;
		umbra_isa_apply(vcpu);
		return 0;
	}
	/* The rest can only be confirmed. */
	return val == now ? 0 : vcpu->ran_once ? -EBUSY : -EINVAL;
}

/* --- core and CSRs ----------------------------------------------------------------- */

#define NR_CORE	(sizeof(struct kvm_riscv_core) / sizeof(unsigned long))

/* pc, x1 .. x31, mode */
static int core_access(struct umbra_vcpu *vcpu, u64 num, u64 *val, bool set)
{
	struct umbra_cpu *cpu = vcpu->cpu;

	if (num >= NR_CORE)
		return -ENOENT;
	if (num == KVM_REG_RISCV_CORE_REG(mode)) {
		if (set && *val > KVM_RISCV_MODE_S &&
		    !(*val == UMBRA_PRIV_M && vcpu->m))
			return -EINVAL;
		if (set)
			cpu->priv = *val;
		*val = cpu->priv;
	} else {
		u64 *reg = num ? &cpu->gpr[num] : &cpu->pc;

		if (set)
			*reg = *val;
		*val = *reg;
	}
	if (set)
		umbra_mmu_unload(vcpu);
	return 0;
}

static const u16 csr_of[] = {
	[KVM_REG_RISCV_CSR_REG(sstatus)] = VCSR_SSTATUS,
	[KVM_REG_RISCV_CSR_REG(sie)] = VCSR_SIE,
	[KVM_REG_RISCV_CSR_REG(stvec)] = VCSR_STVEC,
	[KVM_REG_RISCV_CSR_REG(sscratch)] = VCSR_SSCRATCH,
	[KVM_REG_RISCV_CSR_REG(sepc)] = VCSR_SEPC,
	[KVM_REG_RISCV_CSR_REG(scause)] = VCSR_SCAUSE,
	[KVM_REG_RISCV_CSR_REG(stval)] = VCSR_STVAL,
	[KVM_REG_RISCV_CSR_REG(sip)] = VCSR_SIP,
	[KVM_REG_RISCV_CSR_REG(satp)] = VCSR_SATP,
	[KVM_REG_RISCV_CSR_REG(scounteren)] = VCSR_SCOUNTEREN,
	[KVM_REG_RISCV_CSR_REG(senvcfg)] = VCSR_SENVCFG,
};

static int csr_access(struct umbra_vcpu *vcpu, u64 id, u64 *val, bool set)
{
	u64 num = REG_NUM(id);

	if (REG_SUB(id) != KVM_REG_RISCV_CSR_GENERAL || num >= ARRAY_SIZE(csr_of))
		return -ENOENT;
	/* An IPI on its way is part of sip. */
	if (test_and_clear_bit(UMBRA_REQ_SSIP, &vcpu->requests))
		vcpu->cpu->sip |= V_SSI;
	if (!set) {
		vcpu->cpu->pins = atomic_long_read(&vcpu->pins);
		return umbra_csr_get(vcpu, csr_of[num], val);
	}
	/* A fresh address space: nothing is known to be current. */
	umbra_mmu_unload(vcpu);
	return umbra_csr_set(vcpu, csr_of[num], *val);
}

/* Read-only registers, and misa, which has one legal value. */
static bool mcsr_fixed(u16 csr)
{
	return csr >> 10 == 3 || csr == VCSR_MISA;
}

/* Machine CSRs, by their number. */
static int mcsr_access(struct umbra_vcpu *vcpu, u64 id, u64 *val, bool set)
{
	u16 csr = REG_NUM(id);
	u64 now;

	if (!vcpu->m || (id & ~KVM_REG_SIZE_MASK & ~0xfffULL) !=
			(KVM_REG_RISCV | UMBRA_REG_RISCV_MCSR) ||
	    (csr & 0x300) != 0x300)
		return -ENOENT;
	/* An IPI on its way is part of mip. */
	if (test_and_clear_bit(UMBRA_REQ_SSIP, &vcpu->requests))
		vcpu->cpu->sip |= V_SSI;
	if (umbra_csr_get(vcpu, csr, &now))
		return -ENOENT;
	if (csr == VCSR_MIP)
		now = vcpu->cpu->sip;
	if (!set) {
		*val = now;
		return 0;
	}
	if (mcsr_fixed(csr))
		return *val == now ? 0 : -EINVAL;
	if (csr >= VCSR_PMPCFG0 && csr <= VCSR_PMPADDR15) {
		umbra_pmp_load(&vcpu->m->pmp, csr, *val);
		umbra_mmu_reset(vcpu);
		return 0;
	}
	umbra_mmu_unload(vcpu);
	return umbra_csr_set(vcpu, csr, *val);
}

/* --- timer --------------------------------------------------------------------------- */

static int timer_get(struct umbra_vcpu *vcpu, u64 num, u64 *val)
{
	switch (num) {
	case KVM_REG_RISCV_TIMER_REG(frequency):
		*val = umbra_host.timebase;
		return 0;
	case KVM_REG_RISCV_TIMER_REG(time):
		*val = umbra_guest_time(vcpu);
		return 0;
	case KVM_REG_RISCV_TIMER_REG(compare):
		*val = vcpu->cpu->stimecmp;
		return 0;
	case KVM_REG_RISCV_TIMER_REG(state):
		*val = vcpu->cpu->stimecmp == ~0ULL ? KVM_RISCV_TIMER_STATE_OFF :
		       KVM_RISCV_TIMER_STATE_ON;
		return 0;
	}
	return -ENOENT;
}

static int timer_set(struct umbra_vcpu *vcpu, u64 num, u64 val)
{
	switch (num) {
	case KVM_REG_RISCV_TIMER_REG(frequency):
		return val == umbra_host.timebase ? 0 : -EINVAL;
	case KVM_REG_RISCV_TIMER_REG(time):
		umbra_vm_set_time(vcpu->vm, val);
		return 0;
	case KVM_REG_RISCV_TIMER_REG(compare):
		vcpu->cpu->stimecmp = val;
		return 0;
	case KVM_REG_RISCV_TIMER_REG(state):
		if (val > KVM_RISCV_TIMER_STATE_ON)
			return -EINVAL;
		if (val == KVM_RISCV_TIMER_STATE_OFF)
			vcpu->cpu->stimecmp = ~0ULL;
		umbra_timer_update(vcpu);
		return 0;
	}
	return -ENOENT;
}

/* --- F and D -------------------------------------------------------------------------- */

/* @ext: F or D; KVM lets either be on alone. */
static int fp_f_access(struct umbra_vcpu *vcpu, unsigned int ext, u64 num, u32 *val,
		       bool set)
{
	if (!umbra_isa_test(vcpu->isa, ext))
		return -ENOENT;
	if (num == KVM_REG_RISCV_FP_F_REG(fcsr)) {
		if (set)
			vcpu->guest_fp.fcsr = *val & 0xff;
		*val = vcpu->guest_fp.fcsr;
	} else if (num <= KVM_REG_RISCV_FP_F_REG(f[31])) {
		if (set)
			vcpu->guest_fp.f[num] = ~0ULL << 32 | *val;
		*val = vcpu->guest_fp.f[num];
	} else {
		return -ENOENT;
	}
	return 0;
}

static int fp_d_access(struct umbra_vcpu *vcpu, u64 num, u64 *val, bool set)
{
	if (!umbra_isa_test(vcpu->isa, KVM_RISCV_ISA_EXT_D) ||
	    num > KVM_REG_RISCV_FP_D_REG(f[31]))
		return -ENOENT;
	if (set)
		vcpu->guest_fp.f[num] = *val;
	*val = vcpu->guest_fp.f[num];
	return 0;
}

/* --- V ---------------------------------------------------------------------------------- */

/* Where the register lies, and its size; the size in the id must be that. */
static int v_find(struct umbra_vcpu *vcpu, u64 id, void **at, size_t *size)
{
	struct umbra_v *v = &vcpu->guest_v;
	u64 num = REG_NUM(id);

	if (!vcpu->feat.vs)
		return -ENOENT;
	*size = sizeof(u64);
	switch (num) {
	case KVM_REG_RISCV_VECTOR_CSR_REG(vstart):
		*at = &v->vstart;
		break;
	case KVM_REG_RISCV_VECTOR_CSR_REG(vl):
		*at = &v->vl;
		break;
	case KVM_REG_RISCV_VECTOR_CSR_REG(vtype):
		*at = &v->vtype;
		break;
	case KVM_REG_RISCV_VECTOR_CSR_REG(vcsr):
		*at = &v->vcsr;
		break;
	case KVM_REG_RISCV_VECTOR_CSR_REG(vlenb):
		*at = &v->vlenb;
		break;
	case KVM_REG_RISCV_VECTOR_REG(0) ... KVM_REG_RISCV_VECTOR_REG(31):
		*size = v->vlenb;
		*at = v->data + (num - KVM_REG_RISCV_VECTOR_REG(0)) * *size;
		break;
	default:
		return -ENOENT;
	}
	return KVM_REG_SIZE(id) == *size ? 0 : -EINVAL;
}

static int v_access(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg, bool set)
{
	void __user *ptr = u64_to_user_ptr(reg->addr);
	size_t size;
	void *at;
	u64 val;
	int ret = v_find(vcpu, reg->id, &at, &size);

	if (ret)
		return ret;
	if (!set)
		return copy_to_user(ptr, at, size) ? -EFAULT : 0;
	/* The length of a register can only be confirmed. */
	if (at == &vcpu->guest_v.vlenb) {
		if (get_user(val, (u64 __user *)ptr))
			return -EFAULT;
		return val == vcpu->guest_v.vlenb ? 0 : -EINVAL;
	}
	return copy_from_user(at, ptr, size) ? -EFAULT : 0;
}

/* --- ISA and SBI extensions ------------------------------------------------------------ */

/* Extensions that can be taken away, because using them traps or is a choice. */
static bool isa_can_disable(unsigned int ext)
{
	switch (ext) {
	case KVM_RISCV_ISA_EXT_D:
	case KVM_RISCV_ISA_EXT_F:
	case KVM_RISCV_ISA_EXT_V:
	case KVM_RISCV_ISA_EXT_SSTC:
	case KVM_RISCV_ISA_EXT_SVINVAL:
	case KVM_RISCV_ISA_EXT_ZICBOM:
	case KVM_RISCV_ISA_EXT_ZICBOZ:
	case UMBRA_ISA_SVADE:
	case UMBRA_ISA_SVADU:
		return true;
	}
	return false;
}

static int isa_single(struct umbra_vcpu *vcpu, u64 ext, u64 *val, bool set)
{
	bool now;

	if (ext >= ISA_MAX || !umbra_isa_test(umbra_host.isa, ext))
		return -ENOENT;
	now = umbra_isa_test(vcpu->isa, ext);
	if (!set) {
		*val = now;
		return 0;
	}
	if (now == !!*val)
		return 0;
	if (vcpu->ran_once)
		return -EBUSY;
	if (!*val && !isa_can_disable(ext))
		return -EINVAL;
	vcpu->isa[ext / 64] ^= BIT_ULL(ext % 64);
	umbra_isa_apply(vcpu);
	return 0;
}

static int sbi_single(struct umbra_vcpu *vcpu, u64 ext, u64 *val, bool set)
{
	if (ext >= SBI_MAX || !(umbra_sbi_known() & BIT(ext)))
		return -ENOENT;
	if (!set) {
		*val = !!(vcpu->sbi_ext & BIT(ext));
		return 0;
	}
	if (*val > 1)
		return -EINVAL;
	if (vcpu->ran_once && *val != !!(vcpu->sbi_ext & BIT(ext)))
		return -EBUSY;
	if (*val)
		vcpu->sbi_ext |= BIT(ext);
	else
		vcpu->sbi_ext &= ~BIT(ext);
	return 0;
}

/* What extensions remember: the two halves of where steal time goes. */
static int sbi_state(struct umbra_vcpu *vcpu, u64 id, u64 *val, bool set)
{
	if (REG_SUB(id) != KVM_REG_RISCV_SBI_STA)
		return -EINVAL;
	return umbra_sta_reg(vcpu, REG_NUM(id), val, set);
}

typedef int (*single_fn)(struct umbra_vcpu *vcpu, u64 ext, u64 *val, bool set);

/* SINGLE, MULTI_EN and MULTI_DIS have the same numbers for both types. */
static int ext_access(struct umbra_vcpu *vcpu, u64 id, u64 *val, bool set,
		      single_fn single, unsigned int max)
{
	u64 first = REG_NUM(id) * BITS_PER_LONG;
	u64 bits = 0;

	if (REG_SUB(id) == KVM_REG_RISCV_ISA_SINGLE)
		return single(vcpu, REG_NUM(id), val, set);
	if (REG_SUB(id) != KVM_REG_RISCV_ISA_MULTI_EN &&
	    REG_SUB(id) != KVM_REG_RISCV_ISA_MULTI_DIS)
		return -ENOENT;
	if (first >= max)
		return -ENOENT;
	for (unsigned int i = 0; i < BITS_PER_LONG && first + i < max; i++) {
		u64 one = REG_SUB(id) == KVM_REG_RISCV_ISA_MULTI_EN;

		if (set && (*val & BIT(i)))
			single(vcpu, first + i, &one, true);
		if (!set && !single(vcpu, first + i, &one, false) && one)
			bits |= BIT(i);
	}
	if (!set)
		*val = REG_SUB(id) == KVM_REG_RISCV_ISA_MULTI_EN ? bits : ~bits;
	return 0;
}

/* --- dispatch ---------------------------------------------------------------------------- */

static int reg_access(struct umbra_vcpu *vcpu, u64 id, u64 *val, bool set)
{
	switch (REG_TYPE(id)) {
	case KVM_REG_RISCV_CONFIG:
		return set ? config_set(vcpu, REG_NUM(id), *val) :
			     config_get(vcpu, REG_NUM(id), val);
	case KVM_REG_RISCV_CORE:
		return core_access(vcpu, REG_NUM(id), val, set);
	case KVM_REG_RISCV_CSR:
		return csr_access(vcpu, id, val, set);
	case UMBRA_REG_RISCV_MCSR:
		return mcsr_access(vcpu, id, val, set);
	case KVM_REG_RISCV_TIMER:
		return set ? timer_set(vcpu, REG_NUM(id), *val) :
			     timer_get(vcpu, REG_NUM(id), val);
	case KVM_REG_RISCV_FP_D:
		return fp_d_access(vcpu, REG_NUM(id), val, set);
	case KVM_REG_RISCV_ISA_EXT:
		return ext_access(vcpu, id, val, set, isa_single, ISA_MAX);
	case KVM_REG_RISCV_SBI_EXT:
		return ext_access(vcpu, id, val, set, sbi_single, SBI_MAX);
	case KVM_REG_RISCV_SBI_STATE:
		return sbi_state(vcpu, id, val, set);
	}
	return -ENOENT;
}

/* Registers of 32 bits: F, and fcsr under both F and D. */
static bool is_u32(u64 id)
{
	return REG_TYPE(id) == KVM_REG_RISCV_FP_F ||
	       (REG_TYPE(id) == KVM_REG_RISCV_FP_D &&
		REG_NUM(id) == KVM_REG_RISCV_FP_D_REG(fcsr));
}

static unsigned int fp_ext(u64 id)
{
	return REG_TYPE(id) == KVM_REG_RISCV_FP_D ? KVM_RISCV_ISA_EXT_D :
	       KVM_RISCV_ISA_EXT_F;
}

static int reg_u32(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg, bool set)
{
	u64 num = REG_TYPE(reg->id) == KVM_REG_RISCV_FP_D ?
		  KVM_REG_RISCV_FP_F_REG(fcsr) : REG_NUM(reg->id);
	void __user *ptr = u64_to_user_ptr(reg->addr);
	u32 val = 0;
	int ret;

	if ((reg->id & KVM_REG_SIZE_MASK) != KVM_REG_SIZE_U32)
		return -EINVAL;
	if (set && copy_from_user(&val, ptr, sizeof(val)))
		return -EFAULT;
	ret = fp_f_access(vcpu, fp_ext(reg->id), num, &val, set);
	if (ret || set)
		return ret;
	return copy_to_user(ptr, &val, sizeof(val)) ? -EFAULT : 0;
}

static int reg_any(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg, bool set)
{
	void __user *ptr = u64_to_user_ptr(reg->addr);
	u64 val = 0;
	int ret;

	if ((reg->id & KVM_REG_ARCH_MASK) != KVM_REG_RISCV)
		return -ENOENT;
	if (is_u32(reg->id))
		return reg_u32(vcpu, reg, set);
	if (REG_TYPE(reg->id) == KVM_REG_RISCV_VECTOR)
		return v_access(vcpu, reg, set);
	if ((reg->id & KVM_REG_SIZE_MASK) != KVM_REG_SIZE_U64)
		return -EINVAL;
	if (set && copy_from_user(&val, ptr, sizeof(val)))
		return -EFAULT;
	ret = reg_access(vcpu, reg->id, &val, set);
	if (ret || set)
		return ret;
	return copy_to_user(ptr, &val, sizeof(val)) ? -EFAULT : 0;
}

int umbra_get_reg(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg)
{
	/* Whoever looks at registers may look at memory next. */
	umbra_sites_invalidate(vcpu->vm, 0, ~0ULL);
	return reg_any(vcpu, reg, false);
}

int umbra_set_reg(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg)
{
	return reg_any(vcpu, reg, true);
}

/* --- list ----------------------------------------------------------------------------------- */

/* Calls put for each id; the order is KVM's. */
static int list_type(struct umbra_vcpu *vcpu, u64 type, u64 size, unsigned int nr,
		     u64 __user **to, u64 *n)
{
	for (unsigned int i = 0; i < nr; i++) {
		u64 id = KVM_REG_RISCV | size | type | i;
		u64 val;
		u32 val32;
		int ret;

		if (is_u32(id)) {
			id = (id & ~KVM_REG_SIZE_MASK) | KVM_REG_SIZE_U32;
			ret = fp_f_access(vcpu, fp_ext(id), 0, &val32, false);
		} else {
			ret = reg_access(vcpu, id, &val, false);
		}
		if (ret)
			continue;
		if (*to && put_user(id, (*to)++))
			return -EFAULT;
		(*n)++;
	}
	return 0;
}

static int list_v(struct umbra_vcpu *vcpu, u64 __user **to, u64 *n)
{
	u64 wide = (u64)ilog2(vcpu->guest_v.vlenb ?: 1) << KVM_REG_SIZE_SHIFT;
	size_t size;
	void *at;

	for (u64 num = 0; num <= KVM_REG_RISCV_VECTOR_REG(31); num++) {
		u64 id = KVM_REG_RISCV | KVM_REG_RISCV_VECTOR | num |
			 (num < KVM_REG_RISCV_VECTOR_REG(0) ? KVM_REG_SIZE_U64 : wide);

		if (v_find(vcpu, id, &at, &size))
			continue;
		if (*to && put_user(id, (*to)++))
			return -EFAULT;
		(*n)++;
	}
	return 0;
}

static int list_all(struct umbra_vcpu *vcpu, u64 __user *to, u64 *n)
{
	static const struct { u64 type, size; unsigned int nr; } types[] = {
		{ KVM_REG_RISCV_CONFIG, KVM_REG_SIZE_U64, 8 },
		{ KVM_REG_RISCV_CORE, KVM_REG_SIZE_U64, NR_CORE },
		{ KVM_REG_RISCV_CSR, KVM_REG_SIZE_U64, ARRAY_SIZE(csr_of) },
		{ KVM_REG_RISCV_TIMER, KVM_REG_SIZE_U64, 4 },
		{ KVM_REG_RISCV_FP_F, KVM_REG_SIZE_U32, 33 },
		{ KVM_REG_RISCV_FP_D, KVM_REG_SIZE_U64, 33 },
		{ KVM_REG_RISCV_VECTOR, 0, 0 },		/* list_v() */
		{ KVM_REG_RISCV_ISA_EXT, KVM_REG_SIZE_U64, ISA_MAX },
		{ KVM_REG_RISCV_SBI_EXT, KVM_REG_SIZE_U64, SBI_MAX },
		{ UMBRA_REG_RISCV_MCSR, KVM_REG_SIZE_U64, 0x1000 },
		{ KVM_REG_RISCV_SBI_STATE | KVM_REG_RISCV_SBI_STA, KVM_REG_SIZE_U64,
		  sizeof(struct kvm_riscv_sbi_sta) / sizeof(unsigned long) },
	};

	*n = 0;
	for (int i = 0; i < ARRAY_SIZE(types); i++) {
		int ret;

		/* Its state is listed while the extension is on. */
		if (REG_TYPE(types[i].type) == KVM_REG_RISCV_SBI_STATE &&
		    !(vcpu->sbi_ext & BIT(KVM_RISCV_SBI_EXT_STA)))
			continue;
		if (types[i].type == KVM_REG_RISCV_VECTOR)
			ret = list_v(vcpu, &to, n);
		else
			ret = list_type(vcpu, types[i].type, types[i].size,
					types[i].nr, &to, n);
		if (ret)
			return ret;
	}
	return 0;
}

int umbra_reg_list(struct umbra_vcpu *vcpu, struct kvm_reg_list __user *list)
{
	u64 room, n;

	if (get_user(room, &list->n))
		return -EFAULT;
	list_all(vcpu, NULL, &n);
	if (put_user(n, &list->n))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	return list_all(vcpu, list->reg, &n);
}
