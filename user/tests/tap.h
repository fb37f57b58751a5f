/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TAP for the launcher's unit tests: one line for each ok().
 */
#ifndef UMBRA_TESTS_TAP_H
#define UMBRA_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "util.h"

static unsigned int tests, failures;
/* Where the lines go: main() says so, as tests redirect standard output. */
static FILE *tap;

static void ok(bool good, const char *fmt, ...)
	__printf(2, 3);

static void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	fprintf(tap, "%sok %u - ", good ? "" : "not ", ++tests);
	va_start(ap, fmt);
	vfprintf(tap, fmt, ap);
	va_end(ap);
	fputc('\n', tap);
	fflush(tap);
	failures += !good;
}

#endif
