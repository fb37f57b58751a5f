/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kind of a memory access, as faults tell them apart.  Pure.
 */
#ifndef UMBRA_ACCESS_H
#define UMBRA_ACCESS_H

/**
 * enum umbra_access - what an instruction does to memory
 * @UMBRA_ACCESS_NONE: nothing
 * @UMBRA_ACCESS_READ: reads; its faults are load faults
 * @UMBRA_ACCESS_WRITE: writes, or reads and writes; its faults are store/AMO
 *			faults, even where it is the read that fails
 * @UMBRA_ACCESS_EXEC: is fetched
 */
enum umbra_access {
	UMBRA_ACCESS_NONE,
	UMBRA_ACCESS_READ,
	UMBRA_ACCESS_WRITE,
	UMBRA_ACCESS_EXEC,
};

#endif /* UMBRA_ACCESS_H */
