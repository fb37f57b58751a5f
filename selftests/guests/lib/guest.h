/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The runtime of the test guests: what a test may use.
 *
 * A guest runs on one hart in S-mode with translation off; its tests are
 * functions made with TEST(), run in the order of the file. Each starts from
 * the same state (guest_reset()): satp 0, interrupts off, FP and vector off,
 * the pool of pages empty. Results go to the SBI console as TAP.
 *
 * A test says what it expects with the CHECK macros. Traps that it provokes are
 * caught with try_call() (a C function in S-mode) or run_ctx() (any code, in S-
 * or U-mode, with a complete register file of its own); both stop at the first
 * exception and leave its description in `trap`.
 */
#ifndef GUEST_H
#define GUEST_H

/* Offsets into struct ctx, for assembly. */
#define CTX_PC		256
#define CTX_STATUS	264
#define CTX_CAUSE	272
#define CTX_TVAL	280
#define CTX_VEC		288

#ifndef __ASSEMBLER__

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;
typedef _Bool bool;

#define true	1
#define false	0
#define NULL	((void *)0)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)	(1UL << (n))

void *memset(void *d, int c, u64 n);
void *memcpy(void *d, const void *s, u64 n);
int memcmp(const void *a, const void *b, u64 n);
u64 strlen(const char *s);
int strcmp(const char *a, const char *b);
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- CSRs ---------------------------------------------------------------- */

#define SR_SIE		BIT(1)
#define SR_SPIE		BIT(5)
#define SR_UBE		BIT(6)
#define SR_SPP		BIT(8)
#define SR_VS		(3UL << 9)
#define SR_VS_INITIAL	BIT(9)
#define SR_FS		(3UL << 13)
#define SR_FS_INITIAL	BIT(13)
#define SR_FS_CLEAN	(2UL << 13)
#define SR_XS		(3UL << 15)
#define SR_SUM		BIT(18)
#define SR_MXR		BIT(19)
#define SR_SPELP	BIT(23)
#define SR_SDT		BIT(24)
#define SR_UXL		(3UL << 32)
#define SR_UXL_64	(2UL << 32)
#define SR_SD		BIT(63)

#define IRQ_SSI		1
#define IRQ_STI		5
#define IRQ_SEI		9
#define IRQ_LCOF	13
#define CAUSE_IRQ	BIT(63)

#define CAUSE_FETCH_ACCESS	1
#define CAUSE_ILLEGAL		2
#define CAUSE_BREAKPOINT	3
#define CAUSE_LOAD_MISALIGNED	4
#define CAUSE_LOAD_ACCESS	5
#define CAUSE_STORE_MISALIGNED	6
#define CAUSE_STORE_ACCESS	7
#define CAUSE_ECALL_U		8
#define CAUSE_ECALL_S		9
#define CAUSE_FETCH_PAGE	12
#define CAUSE_LOAD_PAGE		13
#define CAUSE_STORE_PAGE	15
#define NO_TRAP			0xffUL

#define CSR_SSTATUS	0x100
#define CSR_SIE		0x104
#define CSR_STVEC	0x105
#define CSR_SCOUNTEREN	0x106
#define CSR_SENVCFG	0x10a
#define CSR_SSCRATCH	0x140
#define CSR_SEPC	0x141
#define CSR_SCAUSE	0x142
#define CSR_STVAL	0x143
#define CSR_SIP		0x144
#define CSR_STIMECMP	0x14d
#define CSR_SATP	0x180
#define CSR_CYCLE	0xc00
#define CSR_TIME	0xc01
#define CSR_INSTRET	0xc02

#define __str(x)	#x
#define csr_read(c) ({ u64 __v; asm volatile("csrr %0, " __str(c) : "=r"(__v) :: "memory"); __v; })
#define csr_write(c, v) asm volatile("csrw " __str(c) ", %0" :: "r"((u64)(v)) : "memory")
#define csr_set(c, v) asm volatile("csrs " __str(c) ", %0" :: "r"((u64)(v)) : "memory")
#define csr_clear(c, v) asm volatile("csrc " __str(c) ", %0" :: "r"((u64)(v)) : "memory")

static inline void fence_i(void)
{
	asm volatile("fence.i" ::: "memory");
}

static inline void sfence(void)
{
	asm volatile("sfence.vma" ::: "memory");
}

static inline void sfence_va(u64 va)
{
	asm volatile("sfence.vma %0, zero" :: "r"(va) : "memory");
}

static inline void sfence_asid(u64 asid)
{
	asm volatile("sfence.vma zero, %0" :: "r"(asid) : "memory");
}

static inline void sfence_va_asid(u64 va, u64 asid)
{
	asm volatile("sfence.vma %0, %1" :: "r"(va), "r"(asid) : "memory");
}

static inline u64 rdtime(void)
{
	u64 v;

	asm volatile("rdtime %0" : "=r"(v) :: "memory");
	return v;
}

/* ---- the machine --------------------------------------------------------- */

#define RAM_BASE	0x80000000UL
#ifndef IMAGE_BASE
#define IMAGE_BASE	0x80200000UL	/* guest.lds; one 2 MiB page */
#endif
#define POOL_BASE	0x81000000UL	/* page_alloc() */
#define POOL_END	0x83000000UL
#define BIG_BASE	0x84000000UL	/* 2 MiB pages, free for any test */
#define BIG_END		0x85000000UL
#define HOLE		0x18000000UL	/* nothing is there on `virt`, nor under Umbra */
#define UART_BASE	0x10000000UL
#define UART_SCRATCH	0x10000007UL
#define RTC_BASE	0x00101000UL
#define PLIC_BASE	0x0c000000UL
#define PLIC_PRIORITY	(PLIC_BASE + 4)	/* of source 1 */

#define SBI_IMPL_UMBRA	0x554d4252UL

extern u64 hartid, timebase, impl_id;
extern char isa_exts[];
extern u64 plic_context;	/* of this hart's S-mode */
extern bool on_umbra, has_sstc, has_vector, has_svinval;

bool isa_has(const char *ext);
void wait_ticks(u64 ticks);

/* Pages from POOL_BASE, zeroed; all given back between tests. */
void *page_alloc(void);
void *pages_alloc(unsigned int n);

/* ---- results ------------------------------------------------------------- */

struct test {
	const char *name;
	void (*fn)(void);
};

/* TEST(function, "what is right, in words (section of the specification)") */
#define TEST(fn_, name_)						\
	static void test_##fn_(void);					\
	static const struct test __test_##fn_				\
	__attribute__((used, section(".tests"), aligned(8))) =		\
	{ name_, test_##fn_ };						\
	static void test_##fn_(void)

void check_fail(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool check_eq(int line, const char *what, u64 got, u64 want);
bool check_trap(int line, const char *what, u64 cause, u64 tval, u64 epc);
bool check_illegal(int line, const char *what, u64 insn, u64 epc);
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *why);
bool test_failed(void);

#define CHECK(c)	do { if (!(c)) check_fail(__LINE__, "%s", #c); } while (0)
#define CHECK_MSG(c, ...) do { if (!(c)) check_fail(__LINE__, __VA_ARGS__); } while (0)
#define CHECK_EQ(got, want) check_eq(__LINE__, #got, got, want)
/* The last trap had this cause, stval and sepc. */
#define CHECK_TRAP(what, cause, tval, epc) check_trap(__LINE__, what, cause, tval, epc)
/* ... was an illegal instruction: stval holds its bits, or zero. */
#define CHECK_ILLEGAL(what, insn, epc) check_illegal(__LINE__, what, insn, epc)
#define SKIP(why)	do { skip(why); return; } while (0)

/* ---- traps --------------------------------------------------------------- */

/**
 * struct ctx - registers of code under test, and how it stopped
 * @x: general registers; x[0] is ignored
 * @pc: where to start; then sepc
 * @status: sstatus to start with (SPP says S or U, SPIE becomes SIE); then as
 *	in the trap handler
 * @cause: scause; NO_TRAP
 * @tval: stval
 * @vec: which entry of the vectored table was used, -1: none (direct)
 */
struct ctx {
	u64 x[32];
	u64 pc, status, cause, tval, vec;
};

enum { PRV_U, PRV_S };

extern struct ctx trap;			/* the last exception caught */
extern struct ctx last_irq;		/* the last interrupt taken */
extern u64 irq_count[64];
/* Replaces "count, remember, disable in sie"; may change the context. */
extern void (*irq_hook)(struct ctx *f);

extern char trap_entry[], trap_vectors[];

/* Call @fn(a0, a1) in S-mode; returns NO_TRAP or the cause of what stopped it. */
u64 try_call(void *fn, u64 a0, u64 a1);
extern u64 try_result;			/* what @fn returned */

void ctx_init(struct ctx *c, u64 pc, int prv);
u64 run_ctx(struct ctx *c);
/* The register file of ctx_init() is a pattern; which register differs? -1: none */
u64 ctx_pattern(int reg);
int ctx_changed(const struct ctx *c, u64 except);

/*
 * @fn(@a0, @a1) must trap, at its first instruction, with this cause and stval;
 * for functions of access.S.
 */
#define EXPECT_FAULT(cause, tval, fn, a0, a1) do {			\
	try_call((void *)(fn), a0, a1);					\
	check_trap(__LINE__, #fn, cause, tval, (u64)(fn));		\
} while (0)
#define EXPECT_OK(fn, a0, a1) do {					\
	if (try_call((void *)(fn), a0, a1) != NO_TRAP)			\
		check_trap(__LINE__, #fn, NO_TRAP, 0, 0);		\
} while (0)
/* A jump to @va must fault there. */
#define EXPECT_FETCH_FAULT(cause, tval, va) do {			\
	try_call(do_jump, va, 0);					\
	check_trap(__LINE__, "fetch", cause, tval, va);			\
} while (0)

/* access.S: one uncompressed instruction each, then ret */
extern char do_lb[], do_lbu[], do_lh[], do_lhu[], do_lw[], do_lwu[], do_ld[];
extern char do_sb[], do_sh[], do_sw[], do_sd[];
extern char do_lr_w[], do_lr_d[], do_sc_w[], do_sc_d[];
extern char do_amoadd_w[], do_amoadd_d[], do_amoswap_w[], do_amoswap_d[];
extern char do_amoand_w[], do_amoand_d[], do_amoor_w[], do_amoor_d[];
extern char do_amoxor_w[], do_amoxor_d[], do_amomin_w[], do_amomin_d[];
extern char do_amomax_w[], do_amomax_d[], do_amominu_w[], do_amominu_d[];
extern char do_amomaxu_w[], do_amomaxu_d[];
extern char do_flw[], do_fld[], do_fsw[], do_fsd[];
extern char do_jump[];
/* The same in U-mode: an access, then ecall; position-independent. */
extern char u_lb[], u_lw[], u_ld[], u_sb[], u_sw[], u_sd[], u_amoadd_w[], u_lr_w[];
extern char u_ecall[], u_spin[], u_jump[];

/* ---- code made at run time ------------------------------------------------ */

#define INSN_NOP	0x00000013U
#define INSN_RET	0x00008067U
#define INSN_ECALL	0x00000073U
#define INSN_EBREAK	0x00100073U
#define INSN_C_EBREAK	0x9002U
#define INSN_C_NOP	0x0001U
#define INSN_C_RET	0x8082U
#define INSN_SRET	0x10200073U
#define INSN_MRET	0x30200073U
#define INSN_WFI	0x10500073U
#define INSN_SFENCE_VMA	0x12000073U
#define INSN_SINVAL_VMA	0x16000073U
#define INSN_SFENCE_W_INVAL	0x18000073U
#define INSN_SFENCE_INVAL_IR	0x18100073U

enum { OP_CSRRW = 1, OP_CSRRS, OP_CSRRC, OP_CSRRWI = 5, OP_CSRRSI, OP_CSRRCI };

static inline u32 enc_csr(u32 op, u32 rd, u32 csr, u32 rs)
{
	return csr << 20 | rs << 15 | op << 12 | rd << 7 | 0x73;
}

static inline u32 enc_csrr(u32 rd, u32 csr)
{
	return enc_csr(OP_CSRRS, rd, csr, 0);
}

static inline u32 enc_addi(u32 rd, u32 rs, int imm)
{
	return (u32)imm << 20 | rs << 15 | rd << 7 | 0x13;
}

static inline u32 enc_ld(u32 rd, int off, u32 rs)
{
	return (u32)off << 20 | rs << 15 | 3 << 12 | rd << 7 | 0x03;
}

static inline u32 enc_store(u32 funct3, u32 rs2, int off, u32 rs1)
{
	return ((u32)off >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 |
		funct3 << 12 | (off & 0x1f) << 7 | 0x23;
}

static inline u32 enc_sd(u32 rs2, int off, u32 rs1)
{
	return enc_store(3, rs2, off, rs1);
}

static inline u32 enc_bnez(u32 rs, int off)
{
	u32 o = off;

	return (o >> 12 & 1) << 31 | (o >> 5 & 0x3f) << 25 | rs << 15 |
		1 << 12 | (o >> 1 & 0xf) << 8 | (o >> 11 & 1) << 7 | 0x63;
}

/* Instructions lie at any even address; no fence.i here. */
static inline void put32(u64 at, u32 insn)
{
	((volatile u16 *)at)[0] = insn;
	((volatile u16 *)at)[1] = insn >> 16;
}

static inline void put16(u64 at, u16 insn)
{
	*(volatile u16 *)at = insn;
}

/* ---- page tables ----------------------------------------------------------- */

#define PTE_V	BIT(0)
#define PTE_R	BIT(1)
#define PTE_W	BIT(2)
#define PTE_X	BIT(3)
#define PTE_U	BIT(4)
#define PTE_G	BIT(5)
#define PTE_A	BIT(6)
#define PTE_D	BIT(7)
#define PTE_RWX	(PTE_R | PTE_W | PTE_X)
#define PTE_AD	(PTE_A | PTE_D)
#define PTE_RW_S	(PTE_V | PTE_R | PTE_W | PTE_AD)
#define PTE_RWX_S	(PTE_V | PTE_RWX | PTE_AD)
#define PTE_RW_U	(PTE_RW_S | PTE_U)
#define PTE_RWX_U	(PTE_RWX_S | PTE_U)
#define PTE(pa, flags)	((u64)(pa) >> 12 << 10 | (flags))

#define SV39	8UL
#define SV48	9UL
#define SV57	10UL

/**
 * struct pt - a page table under construction
 * @root: root table (identity mapped, as all of the image and the pool is)
 * @mode: SV39...
 * @levels: 3 to 5
 */
struct pt {
	u64 *root;
	u64 mode;
	int levels;
};

/* The image again, for U-mode; user_va() says where. */
#define USER_IMAGE	0x40000000UL
#define user_va(p)	((u64)(p) - IMAGE_BASE + USER_IMAGE)

bool mode_supported(u64 mode);
/* A table that maps image and pool one to one for S, and the image for U. */
void pt_init(struct pt *pt, u64 mode);
/* Address of the entry for @va at @level (0: 4 KiB), tables made as needed. */
u64 *pt_entry(struct pt *pt, u64 va, int level);
void pt_map(struct pt *pt, u64 va, u64 pa, u64 flags);
void pt_map_level(struct pt *pt, u64 va, u64 pa, u64 flags, int level);
u64 pt_satp(const struct pt *pt, u64 asid);
void pt_load(const struct pt *pt);		/* ASID 0, with a full fence */
void pt_off(void);
static inline const char *mode_name(u64 mode)
{
	return mode == SV39 ? "Sv39" : mode == SV48 ? "Sv48" : "Sv57";
}

/* for each mode that satp accepts */
#define FOR_EACH_MODE(m) \
	for (u64 m = SV39; m <= SV57; m++) \
		if (mode_supported(m))

/* ---- SBI -------------------------------------------------------------------- */

struct sbiret {
	s64 error;
	u64 value;
};

#define SBI_BASE	0x10
#define SBI_TIME	0x54494d45
#define SBI_IPI		0x735049
#define SBI_RFENCE	0x52464e43
#define SBI_HSM		0x48534d
#define SBI_SRST	0x53525354
#define SBI_DBCN	0x4442434e
#define SBI_PMU		0x504d55

#define SBI_SUCCESS		0
#define SBI_ERR_FAILED		-1
#define SBI_ERR_NOT_SUPPORTED	-2
#define SBI_ERR_INVALID_PARAM	-3
#define SBI_ERR_DENIED		-4
#define SBI_ERR_INVALID_ADDRESS	-5
#define SBI_ERR_ALREADY_AVAILABLE	-6
#define SBI_ERR_ALREADY_STARTED	-7

struct sbiret sbi_call(u64 ext, u64 fid, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);
bool sbi_probe(u64 ext);
void set_timer(u64 when);	/* SBI TIME; ~0UL: never */

#endif /* !__ASSEMBLER__ */
#endif
