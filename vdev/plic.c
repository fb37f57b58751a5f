// SPDX-License-Identifier: GPL-2.0
/*
 * The register file of a PLIC; see plic.h for who calls it.
 *
 * A source goes through its gateway: wire (level) -> request (pending) ->
 * claimed -> completed, and back to pending when the wire is still high.
 *
 * The rule where specification and QEMU disagree is the specification, with
 * one exception, explained at complete().
 *
 * Work per call is bounded: finding a context's best interrupt takes at most
 * 7 * 32 words, and only contexts that enabled the source that changed are
 * looked at.
 */
#include "plic.h"

#define PRIORITY_BASE	0x000000
#define PENDING_BASE	0x001000
#define ENABLE_BASE	0x002000
#define ENABLE_STRIDE	0x80
#define CONTEXT_BASE	0x200000
#define CONTEXT_STRIDE	0x1000

#define CONTEXT_THRESHOLD	0
#define CONTEXT_CLAIM		4

static u32 word_of(u32 source)
{
	/* The modulo never bites, except under speculation. */
	return source / 32 % UMBRA_PLIC_WORDS;
}

static u32 bit_of(u32 source)
{
	return 1U << (source % 32);
}

static bool source_test(const u32 *map, u32 source)
{
	return map[word_of(source)] & bit_of(source);
}

static void source_assign(u32 *map, u32 source, bool val)
{
	if (val)
		map[word_of(source)] |= bit_of(source);
	else
		map[word_of(source)] &= ~bit_of(source);
}

static bool source_exists(const struct umbra_plic *p, u32 source)
{
	return source && source <= p->sources;
}

/* Index of the lowest bit that is set; @word is not 0. */
static u32 lowest_bit(u32 word)
{
	u32 n = 0, half;

	for (half = 16; half; half /= 2) {
		if (word & ((1U << half) - 1))
			continue;
		word >>= half;
		n += half;
	}
	return n;
}

/*
 * The interrupt of highest priority above @floor that is pending for @ctx, the
 * lowest number among equals (section 1.4); 0 for none.
 */
static u32 best(const struct umbra_plic *p, const struct umbra_plic_context *ctx,
		u32 floor)
{
	u32 prio, words, w, hit;

	for (prio = UMBRA_PLIC_PRIORITIES - 1; prio > floor; prio--) {
		for (words = p->ready_words[prio]; words; words &= words - 1) {
			w = lowest_bit(words);
			hit = p->ready[prio][w] & ctx->enable[w];
			if (hit)
				return w * 32 + lowest_bit(hit);
		}
	}
	return 0;
}

/* Section 1.3: the pin is high while something beats the threshold. */
static void context_update(struct umbra_plic *p, u32 i)
{
	struct umbra_plic_context *ctx = &p->context[i];
	bool pin = best(p, ctx, ctx->threshold);

	if (pin == ctx->pin)
		return;
	ctx->pin = pin;
	p->set_pin(p->opaque, i, pin);
}

/* Bring ready[] and the pins in step with pending and priority of @source. */
static void source_update(struct umbra_plic *p, u32 source)
{
	u32 w = word_of(source);
	bool pending = source_test(p->pending, source);
	u32 prio, i;

	for (prio = 1; prio < UMBRA_PLIC_PRIORITIES; prio++) {
		source_assign(p->ready[prio], source,
			      pending && p->priority[source] == prio);
		if (p->ready[prio][w])
			p->ready_words[prio] |= 1U << w;
		else
			p->ready_words[prio] &= ~(1U << w);
	}
	for (i = 0; i < p->contexts; i++)
		if (source_test(p->context[i].enable, source))
			context_update(p, i);
}

/* Section 1.2: the gateway forwards a request to the core. */
static void request(struct umbra_plic *p, u32 source)
{
	if (source_test(p->pending, source))
		return;
	source_assign(p->pending, source, true);
	source_update(p, source);
}

/**
 * umbra_plic__set_level() - drive the wire of a level-triggered source
 * @p: the controller
 * @source: its number
 * @level: high or low
 *
 * A request once forwarded is not taken back when the wire falls, and while
 * one is claimed no other is forwarded (section 1.2).
 *
 * Return: 0, or -ENXIO when there is no such source.
 */
int umbra_plic__set_level(struct umbra_plic *p, u32 source, bool level)
{
	if (!source_exists(p, source))
		return -ENXIO;

	source_assign(p->level, source, level);
	if (level && !source_test(p->claimed, source))
		request(p, source);
	return 0;
}

/**
 * umbra_plic__pulse() - an edge
 * @p: the controller
 * @source: its number
 *
 * For a sender that does not hold a level (an irqfd without resampling).  An
 * edge that comes while the source is claimed is kept, one deep, so that it is
 * never lost between the handler's last look and its completion.
 *
 * Return: 0, or -ENXIO when there is no such source.
 */
int umbra_plic__pulse(struct umbra_plic *p, u32 source)
{
	if (!source_exists(p, source))
		return -ENXIO;

	if (source_test(p->claimed, source))
		source_assign(p->latched, source, true);
	else
		request(p, source);
	return 0;
}

/*
 * Section 8, "interrupt claims": the threshold does not matter here.  (QEMU
 * applies it, so that a guest cannot poll behind a high threshold.)
 */
static u32 claim(struct umbra_plic *p, const struct umbra_plic_context *ctx)
{
	u32 source = best(p, ctx, 0);

	if (!source)
		return 0;
	source_assign(p->pending, source, false);
	source_assign(p->claimed, source, true);
	source_update(p, source);
	return source;
}

/*
 * Section 9, "interrupt completion", but for one thing.  There, a completion
 * from a context where the source is not enabled is ignored; QEMU takes it,
 * and so does this.  Linux before 5.16 masks a threaded interrupt before it
 * completes it, and later ones move an interrupt to another hart between claim
 * and completion: with the letter of the specification the source hangs.
 */
static void complete(struct umbra_plic *p, u32 source)
{
	if (!source_exists(p, source) || !source_test(p->claimed, source))
		return;

	source_assign(p->claimed, source, false);
	if (source_test(p->level, source) || source_test(p->latched, source)) {
		source_assign(p->latched, source, false);
		request(p, source);
	}
}

/* A mask of the sources that exist in word @w; source 0 does not. */
static u32 sources_mask(const struct umbra_plic *p, u32 w)
{
	u32 mask = ~0U;

	if (w == word_of(p->sources))
		mask >>= 31 - p->sources % 32;
	else if (w > word_of(p->sources))
		mask = 0;
	return w ? mask : mask & ~1U;
}

/* WARL: the low bits stick, as section 4 asks. */
static u8 priority_legal(u32 val)
{
	return val % UMBRA_PLIC_PRIORITIES;
}

static void priority_write(struct umbra_plic *p, u32 source, u32 val)
{
	if (!source_exists(p, source))
		return;
	p->priority[source] = priority_legal(val);
	source_update(p, source);
}

static void enable_write(struct umbra_plic *p, u32 i, u32 w, u32 val)
{
	p->context[i].enable[w] = val & sources_mask(p, w);
	context_update(p, i);
}

static void threshold_write(struct umbra_plic *p, u32 i, u32 val)
{
	p->context[i].threshold = priority_legal(val);
	context_update(p, i);
}

/* Section 3, the memory map. */
enum block {
	BLOCK_PRIORITY,
	BLOCK_PENDING,
	BLOCK_ENABLE,
	BLOCK_CONTEXT,
	BLOCK_RESERVED,
};

/**
 * struct place - an offset, taken apart
 * @block: which array of registers
 * @context: which context of it; exists
 * @index: which word; for BLOCK_CONTEXT the offset within the context
 */
struct place {
	enum block block;
	u32 context;
	u32 index;
};

static struct place locate(const struct umbra_plic *p, u32 offset)
{
	struct place at = { .block = BLOCK_RESERVED };

	if (offset >= CONTEXT_BASE) {
		at.block = BLOCK_CONTEXT;
		at.context = (offset - CONTEXT_BASE) / CONTEXT_STRIDE;
		at.index = offset % CONTEXT_STRIDE;
	} else if (offset >= ENABLE_BASE) {
		at.block = BLOCK_ENABLE;
		at.context = (offset - ENABLE_BASE) / ENABLE_STRIDE;
		at.index = offset % ENABLE_STRIDE / 4;
	} else if (offset >= PENDING_BASE) {
		at.index = (offset - PENDING_BASE) / 4;
		if (at.index < UMBRA_PLIC_WORDS)
			at.block = BLOCK_PENDING;
	} else {
		at.block = BLOCK_PRIORITY;
		at.index = offset / 4;
	}
	if (at.context >= p->contexts) {
		at.block = BLOCK_RESERVED;
		at.context = 0;
	}
	return at;
}

/**
 * umbra_plic__read() - the guest reads a register
 * @p: the controller
 * @offset: from the base, a multiple of 4; reserved ones read zero
 *
 * Return: the value.
 */
u32 umbra_plic__read(struct umbra_plic *p, u32 offset)
{
	struct place at = locate(p, offset);
	struct umbra_plic_context *ctx = &p->context[at.context];

	switch (at.block) {
	case BLOCK_PRIORITY:
		return p->priority[at.index];
	case BLOCK_PENDING:
		return p->pending[at.index];
	case BLOCK_ENABLE:
		return ctx->enable[at.index];
	case BLOCK_CONTEXT:
		if (at.index == CONTEXT_THRESHOLD)
			return ctx->threshold;
		if (at.index == CONTEXT_CLAIM)
			return claim(p, ctx);
		return 0;
	default:
		return 0;
	}
}

/**
 * umbra_plic__write() - the guest writes a register
 * @p: the controller
 * @offset: from the base, a multiple of 4; reserved ones ignore it
 * @val: the value
 */
void umbra_plic__write(struct umbra_plic *p, u32 offset, u32 val)
{
	struct place at = locate(p, offset);

	switch (at.block) {
	case BLOCK_PRIORITY:
		priority_write(p, at.index, val);
		break;
	case BLOCK_ENABLE:
		enable_write(p, at.context, at.index, val);
		break;
	case BLOCK_CONTEXT:
		if (at.index == CONTEXT_THRESHOLD)
			threshold_write(p, at.context, val);
		else if (at.index == CONTEXT_CLAIM)
			complete(p, val);
		break;
	default:
		break;
	}
}

/**
 * umbra_plic__bytes() - how much memory a controller takes
 * @contexts: number of contexts, at most UMBRA_PLIC_MAX_CONTEXTS
 *
 * Return: bytes.
 */
size_t umbra_plic__bytes(u32 contexts)
{
	return sizeof(struct umbra_plic) +
	       contexts * sizeof(struct umbra_plic_context);
}

/**
 * umbra_plic__init() - the state after power-on
 * @p: umbra_plic__bytes() of memory
 * @sources: highest source number
 * @contexts: number of contexts
 * @set_pin: called when a pin changes; all are low now
 * @opaque: its first argument
 *
 * Return: 0, or -EINVAL when a number is out of range.
 */
int umbra_plic__init(struct umbra_plic *p, u32 sources, u32 contexts,
		     void (*set_pin)(void *opaque, u32 context, bool level),
		     void *opaque)
{
	if (!sources || sources > UMBRA_PLIC_MAX_SOURCES || !contexts ||
	    contexts > UMBRA_PLIC_MAX_CONTEXTS)
		return -EINVAL;

	memset(p, 0, umbra_plic__bytes(contexts));
	p->sources = sources;
	p->contexts = contexts;
	p->set_pin = set_pin;
	p->opaque = opaque;
	return 0;
}
