// SPDX-License-Identifier: GPL-2.0
/*
 * What this host is, found out once at module load: page-table levels, ISA
 * extensions that a guest can be given, block sizes, identity.
 *
 * Also the read-only module parameters by which `umbra check` and a curious
 * owner see it: /sys/module/umbra/parameters/host_*.
 */
#include <linux/module.h>
#include <linux/of.h>
#include <asm/cpufeature.h>
#include <asm/delay.h>
#include <asm/csr.h>
#include <asm/hwcap.h>
#include <asm/sbi.h>
#include <asm/timex.h>
#include <asm/switch_to.h>
#include <asm/vector.h>

#include "vmm.h"

struct umbra_host umbra_host;

bool umbra_rewrite_enabled = true;
module_param_named(rewrite, umbra_rewrite_enabled, bool, 0444);
MODULE_PARM_DESC(rewrite, "rewrite hot privileged instructions (default: on)");

static char *host_mmu = "unknown";
module_param(host_mmu, charp, 0444);
MODULE_PARM_DESC(host_mmu, "address mode of the host: sv39, sv48, sv57 (found out at load)");

static bool asids = true;
module_param(asids, bool, 0444);
MODULE_PARM_DESC(asids, "tell shadow tables apart by the hart's ASIDs, if it has enough (default: on)");

static bool full_fences;
module_param(full_fences, bool, 0444);
MODULE_PARM_DESC(full_fences, "flush the whole TLB where an address or an ASID would do (default: on harts that need it)");

static int asid_bits = -1;
module_param(asid_bits, int, 0444);
MODULE_PARM_DESC(asid_bits, "bits of satp.ASID that the hart implements (found out at load)");

/*
 * One row per extension a guest can have because it works in U-mode as it is,
 * or is emulated.  What is missing here is not offered: H, AIA, Svnapot,
 * Svpbmt, Smstateen, pointer masking, Zkr, CFI.
 */
struct isa_row {
	u8 kvm;		/* KVM_RISCV_ISA_EXT_*; numbers, as 6.12 lacks some */
	u8 host;	/* RISCV_ISA_EXT_* */
	bool always;	/* emulated: does not depend on the host */
};

#define HOST(k, h)	{ .kvm = (k), .host = RISCV_ISA_EXT_##h }
#define ALWAYS(k)	{ .kvm = (k), .always = true }

static const struct isa_row isa_rows[] = {
	HOST(0, a), HOST(1, c), HOST(2, d), HOST(3, f), HOST(5, i), HOST(6, m),
	HOST(11, ZICBOM), HOST(12, ZICBOZ), HOST(13, ZBB), HOST(15, v),
	HOST(17, ZBA), HOST(18, ZBS), HOST(24, ZICOND), HOST(25, ZBC),
	HOST(26, ZBKB), HOST(27, ZBKC), HOST(28, ZBKX), HOST(29, ZKND),
	HOST(30, ZKNE), HOST(31, ZKNH), HOST(33, ZKSED), HOST(34, ZKSH),
	HOST(35, ZKT), HOST(36, ZVBB), HOST(37, ZVBC), HOST(38, ZVKB),
	HOST(39, ZVKG), HOST(40, ZVKNED), HOST(41, ZVKNHA), HOST(42, ZVKNHB),
	HOST(43, ZVKSED), HOST(44, ZVKSH), HOST(45, ZVKT), HOST(46, ZFH),
	HOST(47, ZFHMIN), HOST(48, ZIHINTNTL), HOST(49, ZVFH),
	HOST(50, ZVFHMIN), HOST(51, ZFA), HOST(53, ZACAS), HOST(54, SSCOFPMF),
	HOST(10, ZIHINTPAUSE),
	HOST(55, ZIMOP), HOST(56, ZCA), HOST(57, ZCB), HOST(58, ZCD),
	HOST(60, ZCMOP),
	ALWAYS(8 /* Sstc */), ALWAYS(9 /* Svinval */), ALWAYS(19 /* Zicntr */),
	ALWAYS(20 /* Zicsr */), ALWAYS(21 /* Zifencei */), ALWAYS(22 /* Zihpm */),
	ALWAYS(UMBRA_ISA_SVADE), ALWAYS(UMBRA_ISA_SVADU),
	ALWAYS(66 /* Svvptc */),
};

bool umbra_isa_test(const u64 *isa, unsigned int ext)
{
	return ext < 128 && (isa[ext / 64] & BIT_ULL(ext % 64));
}

static void probe_isa(void)
{
	for (int i = 0; i < ARRAY_SIZE(isa_rows); i++) {
		const struct isa_row *row = &isa_rows[i];

		if (row->always || __riscv_isa_extension_available(NULL, row->host))
			umbra_host.isa[row->kvm / 64] |= BIT_ULL(row->kvm % 64);
	}
}

static void probe_blocks(void)
{
	struct device_node *cpu = of_get_cpu_node(0, NULL);
	u32 val;

	if (!of_property_read_u32(cpu, "riscv,cbom-block-size", &val))
		umbra_host.zicbom_block = val;
	if (!of_property_read_u32(cpu, "riscv,cboz-block-size", &val))
		umbra_host.zicboz_block = val;
	of_node_put(cpu);
}

static u64 sbi_base(int fid)
{
	struct sbiret ret = sbi_ecall(SBI_EXT_BASE, fid, 0, 0, 0, 0, 0, 0);

	return ret.error ? 0 : ret.value;
}

/* The widest mode narrower than the host's; on an Sv39 host, Sv39. */
u64 umbra_default_satp_mode(void)
{
	return max(umbra_host.satp_mode - 1, V_SATP_SV39);
}

/* Bits that stick when all ones are written (privileged spec, 10.1.11). */
static int probe_asid_bits(void)
{
	u64 old, got;
	unsigned long flags;

	local_irq_save(flags);
	old = csr_read(CSR_SATP);
	csr_write(CSR_SATP, old | (V_SATP_ASID_MASK << V_SATP_ASID_SHIFT));
	got = (csr_read(CSR_SATP) >> V_SATP_ASID_SHIFT) & V_SATP_ASID_MASK;
	csr_write(CSR_SATP, old);
	asm volatile("sfence.vma" ::: "memory");
	local_irq_restore(flags);
	return fls64(got);
}

/*
 * SiFive's erratum CIP-1200: sfence.vma with an operand may leave what it should
 * not.  Linux, if it was configured for it, knows the same cores by the same numbers.
 */
static bool has_cip_1200(void)
{
	u64 marchid = umbra_host.marchid, mimpid = umbra_host.mimpid;

	return umbra_host.mvendorid == 0x489 &&
	       (marchid == 0x8000000000000007 || marchid == 1) &&
	       (mimpid & 0xffffff) <= 0x200630 && mimpid != 0x1200626;
}

/* A kernel that registers SSE handlers may be entered by M-mode at any time. */
static bool sse_in_use(void)
{
	return IS_ENABLED(CONFIG_RISCV_SBI_SSE) && sbi_probe_extension(0x535345) > 0;
}

static const char *const mode_name[] = { "sv39", "sv48", "sv57" };

int umbra_host_probe(void)
{
	u64 satp = csr_read(CSR_SATP);

	umbra_host.satp_mode = satp >> V_SATP_MODE_SHIFT;
	if (umbra_host.satp_mode < V_SATP_SV39 || umbra_host.satp_mode > V_SATP_SV57) {
		pr_err("umbra: host paging mode %llu is not Sv39, Sv48 or Sv57\n",
		       umbra_host.satp_mode);
		return -ENODEV;
	}
	umbra_host.levels = umbra_host.satp_mode - V_SATP_SV39 + 3;
	host_mmu = (char *)mode_name[umbra_host.levels - 3];
	asid_bits = probe_asid_bits();
	/* A root's is the number of its shadow page, and not 0. */
	asids &= BIT(asid_bits) > UMBRA_SHADOW_MAX;
	umbra_host.asids = asids;
	if (sse_in_use()) {
		pr_err("umbra: this kernel uses supervisor software events (SSE), which would enter it while a guest's page table is loaded; boot with a kernel or firmware without SSE\n");
		return -ENODEV;
	}
	probe_isa();
	probe_blocks();
	umbra_host.fp = has_fpu();
	umbra_host.vector = has_vector() &&
			    riscv_isa_extension_available(NULL, v);
	if (umbra_host.vector)
		umbra_host.vlenb = riscv_v_vsize / 32;
	/* senvcfg came with priv spec 1.12; Linux knows it by what needs it. */
	umbra_host.senvcfg = riscv_isa_extension_available(NULL, ZICBOM) ||
			     riscv_isa_extension_available(NULL, ZICBOZ) ||
			     riscv_isa_extension_available(NULL, XLINUXENVCFG);
	if (riscv_isa_extension_available(NULL, ZICBOM))
		umbra_host.senvcfg_mask |= V_ENVCFG_CBIE | V_ENVCFG_CBCFE;
	if (riscv_isa_extension_available(NULL, ZICBOZ))
		umbra_host.senvcfg_mask |= V_ENVCFG_CBZE;
	umbra_host.sstc = riscv_isa_extension_available(NULL, SSTC);
	umbra_host.timebase = riscv_timebase;
	umbra_host.mvendorid = sbi_base(SBI_EXT_BASE_GET_MVENDORID);
	umbra_host.marchid = sbi_base(SBI_EXT_BASE_GET_MARCHID);
	umbra_host.mimpid = sbi_base(SBI_EXT_BASE_GET_MIMPID);
	full_fences |= has_cip_1200();
	umbra_host.full_fences = full_fences;
	return 0;
}
