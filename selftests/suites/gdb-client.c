// SPDX-License-Identifier: GPL-2.0
/*
 * What a debugger does with QEMU's gdb stub, in gdb's own protocol: breakpoints in
 * the guest's kernel, single steps. gdb itself cannot be had for this: QEMU 10.0
 * offers no general register of a -cpu host (its reply to `g` is empty). So pc is
 * asked for by way of QEMU's monitor, which the protocol gives access to (qRcmd).
 *
 *	gdb-client PORT ADDRESS HOW
 *
 * QEMU listens at 127.0.0.1:PORT; its vCPUs come to ADDRESS again and again, and four
 * instructions from there on go straight on. HOW it steps over them: "break", by
 * breakpoints, as gdb does when told that this is Linux; or "step", by KVM, which
 * takes a guest with one vCPU and an ADDRESS where interrupts are off: QEMU steps on
 * through whatever comes between. Prints lines of TAP, without numbers and plan: 11
 * of them. The suite qemu-gdb starts it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds that anything may take which has to happen, on a slow board. */
#define LONG_ENOUGH	120
/* ... and for which nothing is said where nothing shall be. */
#define A_WHILE		5

#define EBREAK		0x00100073u
#define C_EBREAK	0x9002u

#define STEPS		4

static int sock;

static __attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("not ok - ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	exit(1);
}

static __attribute__((format(printf, 2, 3))) void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("%sok - ", good ? "" : "not ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

/* --- packets ---------------------------------------------------------------------------- */

/* One byte; -1 when none comes for so many seconds. */
static int get_byte(int seconds)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	unsigned char c;

	if (poll(&p, 1, seconds * 1000) <= 0)
		return -1;
	if (read(sock, &c, 1) != 1)
		die("QEMU closes the connection");
	return c;
}

static void put(const void *bytes, size_t n)
{
	if (write(sock, bytes, n) != (ssize_t)n)
		die("no connection: %m");
}

static void send_packet(const char *text)
{
	char packet[1024];
	unsigned char sum = 0;

	for (const char *p = text; *p; p++)
		sum += *p;
	put(packet, snprintf(packet, sizeof(packet), "$%s#%02x", text, sum));
}

/* The next packet, without a look at acknowledgements; false: none in time. */
static bool get_packet(char *text, size_t size, int seconds)
{
	size_t n = 0;
	int c;

	do {
		c = get_byte(seconds);
		if (c < 0)
			return false;
	} while (c != '$');
	while ((c = get_byte(LONG_ENOUGH)) != '#') {
		if (c < 0 || n == size - 1)
			die("a packet that does not end, or is too long");
		text[n++] = c;
	}
	text[n] = 0;
	/* The checksum: TCP has one. */
	get_byte(LONG_ENOUGH);
	get_byte(LONG_ENOUGH);
	put("+", 1);
	return true;
}

/* Ask, and have the answer. */
static const char *ask(const char *fmt, ...)
{
	static char answer[65536];
	char question[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(question, sizeof(question), fmt, ap);
	va_end(ap);
	send_packet(question);
	if (!get_packet(answer, sizeof(answer), LONG_ENOUGH))
		die("no answer to %s", question);
	return answer;
}

/* The guest runs; until it stops. The signal, 0: it still runs; *cpu: which. */
static int wait_stop(int seconds, unsigned int *cpu)
{
	char reply[1024];
	unsigned int signal;
	const char *thread;

	if (!get_packet(reply, sizeof(reply), seconds))
		return 0;
	if (sscanf(reply, "T%2x", &signal) != 1)
		die("expected that the guest stops, seen %s", reply);
	thread = strstr(reply, "thread:");
	/* Threads are counted from 1, and may have a process before them. */
	if (!thread || (sscanf(thread, "thread:p%*x.%x", cpu) != 1 &&
			sscanf(thread, "thread:%x", cpu) != 1))
		die("no thread in %s", reply);
	--*cpu;
	return signal;
}

static int resume(const char *how, int seconds, unsigned int *cpu)
{
	send_packet(how);
	return wait_stop(seconds, cpu);
}

/* As a ^C at gdb. */
static int interrupt(unsigned int *cpu)
{
	put("\003", 1);
	return wait_stop(LONG_ENOUGH, cpu);
}

/* --- the guest -------------------------------------------------------------------------- */

static unsigned int hex_digit(char c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* @n bytes at @addr, as one number; false: it cannot be read. */
static bool guest_read(uint64_t addr, unsigned int n, uint64_t *value)
{
	const char *hex = ask("m%" PRIx64 ",%x", addr, n);

	*value = 0;
	if (strlen(hex) != 2 * n)
		return false;
	for (unsigned int i = n; i--;)
		*value = *value << 8 | hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]);
	return true;
}

static bool breakpoint(bool set, uint64_t addr)
{
	return !strcmp("OK", ask("%c0,%" PRIx64 ",2", set ? 'Z' : 'z', addr));
}

/* What QEMU's monitor says to @command. */
static void monitor(const char *command, char *said, size_t size)
{
	char question[256] = "qRcmd,";
	static char packet[65536];
	size_t n = 0;

	for (const char *p = command; *p; p++)
		sprintf(question + strlen(question), "%02x", (unsigned char)*p);
	send_packet(question);
	for (;;) {
		if (!get_packet(packet, sizeof(packet), LONG_ENOUGH))
			die("QEMU's monitor does not answer to %s", command);
		if (packet[0] != 'O' || packet[1] == 'K')
			break;
		for (const char *p = packet + 1; p[0] && p[1] && n < size - 1; p += 2)
			said[n++] = hex_digit(p[0]) << 4 | hex_digit(p[1]);
	}
	said[n] = 0;
	if (strcmp(packet, "OK"))
		die("QEMU's monitor does not take %s: %s", command, packet);
}

static uint64_t guest_pc(unsigned int cpu)
{
	static char said[65536];
	char command[32];
	const char *pc;

	snprintf(command, sizeof(command), "cpu %u", cpu);
	monitor(command, said, sizeof(said));
	monitor("info registers", said, sizeof(said));
	pc = strstr(said, " pc ");
	if (!pc)
		die("no pc among vCPU %u's registers", cpu);
	return strtoull(pc + 4, NULL, 16);
}

/* --- what is tried ------------------------------------------------------------------------ */

static uint64_t start;
static uint64_t next[STEPS + 1];	/* next[0] is start */

/* Where the instructions are, and that they are read as they were written. */
static bool read_text(void)
{
	uint64_t half;

	next[0] = start;
	for (int i = 0; i < STEPS; i++) {
		if (!guest_read(next[i], 2, &half))
			return false;
		next[i + 1] = next[i] + ((half & 3) == 3 ? 4 : 2);
	}
	return true;
}

/*
 * Go on to @addr; it is the only breakpoint. Of two vCPUs that came to the one before
 * at the same time the second may tell only now.
 */
static bool run_to(const char *how, uint64_t addr)
{
	for (int late = 0; late < 4; late++) {
		unsigned int cpu = 0;
		int signal = resume(how, LONG_ENOUGH, &cpu);
		uint64_t pc;
		bool known = false;

		if (signal != 5) {
			printf("# `%s` to %#" PRIx64 ": signal %d, expected 5\n", how, addr,
			       signal);
			if (!signal)
				interrupt(&cpu);
			return false;
		}
		pc = guest_pc(cpu);
		if (pc == addr)
			return true;
		printf("# `%s` stops vCPU %u at %#" PRIx64 ", expected %#" PRIx64 "\n", how,
		       cpu, pc, addr);
		for (int i = 0; i <= STEPS; i++)
			known |= pc == next[i];
		if (!known || *how != 'c')
			break;
	}
	return false;
}

/*
 * From the breakpoint at the start, over STEPS instructions, each time with a
 * breakpoint behind: QEMU tells of no step that does not lead to one.
 */
static bool steps(const char *how)
{
	for (int i = 0; i < STEPS; i++) {
		if (!breakpoint(false, next[i]) || !breakpoint(true, next[i + 1]) ||
		    !run_to(how, next[i + 1]))
			return false;
	}
	return true;
}

static void test_breakpoint(void)
{
	uint64_t before, there, after;
	bool good;

	good = guest_read(start, 4, &before) && breakpoint(true, start);
	ok(good, "a breakpoint is set at %#" PRIx64, start);
	good = guest_read(start, 4, &there);
	if ((before & 3) == 3)
		good = good && there == EBREAK;
	else
		good = good && (there & 0xffff) == C_EBREAK && there >> 16 == before >> 16;
	ok(good, "memory has it: %#" PRIx64 ", before %#" PRIx64, there, before);
	ok(run_to("c", start), "the guest stops there");
	ok(breakpoint(false, start) && guest_read(start, 4, &after) && after == before,
	   "without it memory is what it was");
	ok(breakpoint(true, start), "it is set again");
}

/* Often, while another vCPU runs into the same. */
static void test_steps(const char *how)
{
	int rounds = 10, n = 0;

	for (; n < rounds; n++) {
		if (!steps(how) || !breakpoint(false, next[STEPS]) ||
		    !breakpoint(true, start) || !run_to("c", start))
			break;
	}
	ok(n == rounds, "%d times %d steps by `%s`", rounds, STEPS, how);
}

/*
 * A step alone: QEMU does not tell of its end, and steps on. What matters here is
 * that the guest takes no harm.
 */
static void test_lone_step(void)
{
	unsigned int cpu = 0;
	bool good;
	int told;

	good = breakpoint(false, start);
	told = resume("s", A_WHILE, &cpu);
	printf("# a step without a breakpoint behind it: %s\n",
	       told ? "told" : "not told, as with QEMU 10.0 on KVM");
	good = good && (told ? told == 5 : interrupt(&cpu) == 2);
	ok(good, "a step, and an interrupt");
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	uint64_t pc, word;
	const char *reply;
	unsigned int cpu;
	bool by_kvm;

	if (argc != 4)
		die("usage: gdb-client PORT ADDRESS HOW");
	by_kvm = !strcmp(argv[3], "step");
	setvbuf(stdout, NULL, _IOLBF, 0);
	at.sin_port = htons(atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	start = strtoull(argv[2], NULL, 16);

	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&at, sizeof(at)))
		die("no gdb stub at port %s: %m", argv[1]);
	/* It stops the guest. */
	reply = ask("?");
	ok(reply[0] == 'T', "the stub answers: %s", reply);
	printf("# registers by `g`: \"%.16s\"\n", ask("g"));
	printf("# the first and pc by `p`: \"%.16s\"", ask("p0"));
	printf(", \"%.16s\"\n", ask("p20"));
	if (!read_text())
		die("%#" PRIx64 " cannot be read: %s", start, ask("m%" PRIx64 ",2", start));
	ok(!guest_read(0x123456789000, 4, &word), "what is not mapped is not read");
	test_breakpoint();
	test_steps(by_kvm ? "s" : "c");
	if (by_kvm)
		test_lone_step();
	else
		ok(breakpoint(false, start), "no breakpoint is left");
	/* It runs on, with nothing in its way. */
	send_packet("c");
	ok(!wait_stop(A_WHILE, &cpu), "the guest runs on");
	if (interrupt(&cpu) != 2)
		die("the guest cannot be interrupted");
	pc = guest_pc(cpu);
	printf("# vCPU %u at %#" PRIx64 "\n", cpu, pc);
	ok(!strcmp("OK", ask("D")), "the debugger goes");
	return 0;
}
