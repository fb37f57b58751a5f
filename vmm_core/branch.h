/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions whose result depends on where they stand: branches, jumps and
 * auipc.  Pure; used by single steps, which execute all others elsewhere.
 */
#ifndef UMBRA_BRANCH_H
#define UMBRA_BRANCH_H

#include "base.h"

/**
 * umbra_branch() - carry out an instruction that reads or writes pc
 * @raw: its bits; of a 16-bit instruction the upper half is ignored
 * @gpr: x0 .. x31; a link register is written
 * @pc: in: where it stands; out: where it leads to
 *
 * False: it is not one of them, and nothing has changed.
 */
bool umbra_branch(u32 raw, u64 *gpr, u64 *pc);

#endif /* UMBRA_BRANCH_H */
