/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: perf stat -e 'umbra:*', trace-cmd record -e umbra.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM umbra

#if !defined(UMBRA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define UMBRA_TRACE_H

#include <linux/tracepoint.h>

/*
 * scause in the words of the privileged specification, in a form that perf and
 * libtraceevent can read too: literals, no operators.
 */
#define umbra_cause_name(cause)						\
	__print_symbolic(cause,						\
		{ 0, "instruction address misaligned" },		\
		{ 1, "instruction access fault" },			\
		{ 2, "illegal instruction" },				\
		{ 3, "breakpoint" },					\
		{ 4, "load address misaligned" },			\
		{ 5, "load access fault" },				\
		{ 6, "store address misaligned" },			\
		{ 7, "store access fault" },				\
		{ 8, "ecall from U-mode" },				\
		{ 9, "ecall from S-mode" },				\
		{ 12, "instruction page fault" },			\
		{ 13, "load page fault" },				\
		{ 15, "store page fault" },				\
		{ 18, "software check" },				\
		{ 0x8000000000000001UL, "software interrupt" },		\
		{ 0x8000000000000005UL, "timer interrupt" },		\
		{ 0x8000000000000009UL, "external interrupt" },		\
		{ 0x800000000000000dUL, "counter overflow interrupt" })

TRACE_EVENT(umbra_entry,
	TP_PROTO(unsigned int vcpu, unsigned long pc, unsigned long priv),
	TP_ARGS(vcpu, pc, priv),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, pc)
		__field(unsigned long, priv)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->pc = pc;
		__entry->priv = priv;
	),
	/* A form that perf and trace-cmd understand, too. */
	TP_printk("vcpu %u pc 0x%lx v%s", __entry->vcpu, __entry->pc,
		  __print_symbolic(__entry->priv, { 0, "U" }, { 1, "S" },
				   { 3, "M" }))
);

TRACE_EVENT(umbra_exit,
	TP_PROTO(unsigned int vcpu, unsigned long scause, unsigned long pc,
		 unsigned long stval),
	TP_ARGS(vcpu, scause, pc, stval),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, scause)
		__field(unsigned long, pc)
		__field(unsigned long, stval)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->scause = scause;
		__entry->pc = pc;
		__entry->stval = stval;
	),
	TP_printk("vcpu %u scause 0x%lx (%s) pc 0x%lx stval 0x%lx", __entry->vcpu,
		  __entry->scause, umbra_cause_name(__entry->scause), __entry->pc,
		  __entry->stval)
);

TRACE_EVENT(umbra_inject,
	TP_PROTO(unsigned int vcpu, unsigned long cause, unsigned long tval,
		 unsigned long pc),
	TP_ARGS(vcpu, cause, tval, pc),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, cause)
		__field(unsigned long, tval)
		__field(unsigned long, pc)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->cause = cause;
		__entry->tval = tval;
		__entry->pc = pc;
	),
	TP_printk("vcpu %u cause 0x%lx (%s) tval 0x%lx pc 0x%lx", __entry->vcpu,
		  __entry->cause, umbra_cause_name(__entry->cause), __entry->tval,
		  __entry->pc)
);

TRACE_EVENT(umbra_shadow_fault,
	TP_PROTO(unsigned int vcpu, unsigned long gva, unsigned long gpa,
		 unsigned int access),
	TP_ARGS(vcpu, gva, gpa, access),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, gva)
		__field(unsigned long, gpa)
		__field(unsigned int, access)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->gva = gva;
		__entry->gpa = gpa;
		__entry->access = access;
	),
	TP_printk("vcpu %u gva 0x%lx gpa 0x%lx %s", __entry->vcpu, __entry->gva,
		  __entry->gpa, __print_symbolic(__entry->access,
		  { 1, "read" }, { 2, "write" }, { 3, "exec" }))
);

TRACE_EVENT(umbra_fence,
	TP_PROTO(unsigned int vcpu, unsigned long va, unsigned long asid),
	TP_ARGS(vcpu, va, asid),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, va)
		__field(unsigned long, asid)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->va = va;
		__entry->asid = asid;
	),
	TP_printk("vcpu %u va 0x%lx asid 0x%lx", __entry->vcpu, __entry->va,
		  __entry->asid)
);

TRACE_EVENT(umbra_mmio,
	TP_PROTO(unsigned int vcpu, unsigned long gva, unsigned int len,
		 bool write, unsigned long val),
	TP_ARGS(vcpu, gva, len, write, val),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, gva)
		__field(unsigned int, len)
		__field(bool, write)
		__field(unsigned long, val)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->gva = gva;
		__entry->len = len;
		__entry->write = write;
		__entry->val = val;
	),
	TP_printk("vcpu %u %s gva 0x%lx len %u val 0x%lx", __entry->vcpu,
		  __entry->write ? "write" : "read", __entry->gva, __entry->len,
		  __entry->val)
);

TRACE_EVENT(umbra_site,
	TP_PROTO(unsigned int vcpu, unsigned long pc, unsigned long gfn,
		 unsigned int raw),
	TP_ARGS(vcpu, pc, gfn, raw),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu)
		__field(unsigned long, pc)
		__field(unsigned long, gfn)
		__field(unsigned int, raw)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->pc = pc;
		__entry->gfn = gfn;
		__entry->raw = raw;
	),
	TP_printk("vcpu %u pc 0x%lx gfn 0x%lx insn 0x%08x", __entry->vcpu,
		  __entry->pc, __entry->gfn, __entry->raw)
);

#endif /* UMBRA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH vmm_core
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
