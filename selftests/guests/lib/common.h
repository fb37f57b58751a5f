/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between common.c and the two runtimes; tests do not include it.
 */
#ifndef GUEST_COMMON_H
#define GUEST_COMMON_H

#include "guest.h"

struct jmp {
	u64 reg[14];
};

int jmp_set(struct jmp *j) __attribute__((returns_twice));
void jmp_back(struct jmp *j) __attribute__((noreturn));

/* common.c */
extern struct jmp test_jmp;	/* out of a test that trapped unexpectedly */
void flush(void);
void read_dtb(const u8 *dtb);
extern bool dtb_umbra;		/* its model says so */
extern u64 dtb_harts;
/* @reset before each test, @finish after each that returned; then shut down. */
void run_tests(void (*reset)(void), void (*finish)(void)) __attribute__((noreturn));

/* of the runtime */
void console_write(const char *s, u64 n);
__attribute__((noreturn)) void shut_down(void);

#endif
