// SPDX-License-Identifier: GPL-2.0
/*
 * Physical memory protection; see pmp.h.
 *
 * Called with each write of pmpcfg and pmpaddr, and by shadow_mmu for each
 * guest PTE it reads, each leaf it fills and each access that is emulated:
 * so matching works on regions that were computed when the registers changed.
 */
#include "csr_bits.h"
#include "pmp.h"

/* What entry @i covers; false: it matches nothing. */
static bool entry_region(const struct umbra_pmp *pmp, unsigned int i,
			 struct umbra_pmp_region *r)
{
	u64 addr = pmp->addr[i];
	u64 ones;

	r->cfg = pmp->cfg[i];
	switch (pmp->cfg[i] & V_PMP_A) {
	case V_PMP_TOR:
		r->first = i ? pmp->addr[i - 1] << 2 : 0;
		r->last = (addr << 2) - 1;
		return addr << 2 > r->first;
	case V_PMP_NA4:
		r->first = addr << 2;
		r->last = r->first + 3;
		return true;
	case V_PMP_NAPOT:
		/* The trailing ones, and the zero above them. */
		ones = addr ^ (addr + 1);
		r->first = (addr & ~ones) << 2;
		r->last = ((addr | ones) << 2) + 3;
		return true;
	}
	return false;
}

/* Returns whether the regions changed. */
static bool update_regions(struct umbra_pmp *pmp)
{
	unsigned int nr = 0;
	bool changed = false;

	for (unsigned int i = 0; i < UMBRA_PMP_ENTRIES; i++) {
		struct umbra_pmp_region *old = &pmp->region[nr], new;

		if (!entry_region(pmp, i, &new))
			continue;
		changed |= nr >= pmp->nr || old->first != new.first ||
			   old->last != new.last || old->cfg != new.cfg;
		*old = new;
		nr++;
	}
	changed |= nr != pmp->nr;
	pmp->nr = nr;
	return changed;
}

u64 umbra_pmp_read_cfg(const struct umbra_pmp *pmp, unsigned int n)
{
	u64 val = 0;

	for (unsigned int i = 0; i < 8; i++)
		val |= (u64)pmp->cfg[8 * n + i] << (8 * i);
	return val;
}

bool umbra_pmp_write_cfg(struct umbra_pmp *pmp, unsigned int n, u64 val)
{
	for (unsigned int i = 0; i < 8; i++) {
		u8 cfg = (val >> (8 * i)) & (V_PMP_L | V_PMP_A | V_PMP_RWX);
		u8 *to = &pmp->cfg[8 * n + i];

		if (*to & V_PMP_L)
			continue;
		/* W without R is reserved: as if neither were set. */
		if (!(cfg & V_PMP_R))
			cfg &= ~V_PMP_W;
		*to = cfg;
	}
	return update_regions(pmp);
}

bool umbra_pmp_write_addr(struct umbra_pmp *pmp, unsigned int entry, u64 val)
{
	u8 next = entry + 1 < UMBRA_PMP_ENTRIES ? pmp->cfg[entry + 1] : 0;

	if (pmp->cfg[entry] & V_PMP_L)
		return false;
	/* The bottom of a locked range is locked with it. */
	if ((next & V_PMP_L) && (next & V_PMP_A) == V_PMP_TOR)
		return false;
	pmp->addr[entry] = val & V_PMP_ADDR;
	return update_regions(pmp);
}

void umbra_pmp_load(struct umbra_pmp *pmp, u16 csr, u64 val)
{
	u8 locks[UMBRA_PMP_ENTRIES];

	memcpy(locks, pmp->cfg, sizeof(locks));
	for (unsigned int i = 0; i < UMBRA_PMP_ENTRIES; i++)
		pmp->cfg[i] &= ~V_PMP_L;
	if (csr >= VCSR_PMPADDR0)
		umbra_pmp_write_addr(pmp, csr - VCSR_PMPADDR0, val);
	else
		umbra_pmp_write_cfg(pmp, (csr - VCSR_PMPCFG0) / 2, val);
	for (unsigned int i = 0; i < UMBRA_PMP_ENTRIES; i++)
		if (csr >= VCSR_PMPADDR0 || i / 8 != (csr - VCSR_PMPCFG0) / 2U)
			pmp->cfg[i] |= locks[i] & V_PMP_L;
	update_regions(pmp);
}

static unsigned int region_perm(const struct umbra_pmp_region *r, bool machine)
{
	return machine && !(r->cfg & V_PMP_L) ? V_PMP_RWX : r->cfg & V_PMP_RWX;
}

/* Where no entry matches (section 3.7.1.3): entries exist, so S and U fail. */
static unsigned int default_perm(bool machine)
{
	return machine ? V_PMP_RWX : 0;
}

unsigned int umbra_pmp_perm(const struct umbra_pmp *pmp, u64 addr,
			    unsigned int len, bool machine)
{
	u64 last = addr + len - 1;

	for (unsigned int i = 0; i < pmp->nr; i++) {
		const struct umbra_pmp_region *r = &pmp->region[i];

		if (r->last < addr || r->first > last)
			continue;
		if (r->first > addr || r->last < last)
			return 0;
		return region_perm(r, machine);
	}
	return default_perm(machine);
}

unsigned int umbra_pmp_block(const struct umbra_pmp *pmp, u64 addr,
			     bool machine, unsigned int order,
			     unsigned int *perm)
{
	for (unsigned int i = 0; i < pmp->nr; i++) {
		const struct umbra_pmp_region *r = &pmp->region[i];

		/* Regions begin and end at multiples of 4: ends at 2. */
		for (;; order--) {
			u64 within = (1ULL << order) - 1;
			u64 first = addr & ~within, last = addr | within;

			if (r->last < first || r->first > last)
				break;
			if (r->first <= first && last <= r->last) {
				*perm = region_perm(r, machine);
				return order;
			}
		}
	}
	*perm = default_perm(machine);
	return order;
}
