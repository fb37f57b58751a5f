// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/uart16550.c
/*
 * The NS16550A register file: what drivers look at when they detect it, every
 * interrupt's cause and cure, back-pressure; then at random against a model
 * that was written from the data sheet on its own.
 */
#include "unit.h"
#include "../../vdev/uart16550.h"

enum {
	RBR = 0, THR = 0, DLL = 0,
	IER = 1, DLM = 1,
	IIR = 2, FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,
};

static struct umbra_uart u;

static u8 rd(unsigned int reg)
{
	return umbra_uart__read(&u, reg);
}

static void wr(unsigned int reg, u8 val)
{
	umbra_uart__write(&u, reg, val);
}

static void push(const char *s)
{
	while (*s)
		umbra_uart__rx_push(&u, *s++, 0);
}

static void start(u8 fcr)
{
	umbra_uart__reset(&u);
	wr(FCR, fcr);
}

/* What the guest has transmitted, at most 16 characters. */
static const char *sent(void)
{
	static char buf[UMBRA_UART_FIFO + 1];
	unsigned int n = 0;
	u8 ch;

	while (n < UMBRA_UART_FIFO && umbra_uart__tx_pop(&u, &ch))
		buf[n++] = ch;
	buf[n] = 0;
	return buf;
}

UNIT_TEST(reset_values)
{
	umbra_uart__reset(&u);
	expect_eq(rd(IER), 0);
	expect_eq(rd(IIR), 0x01);
	expect_eq(rd(LCR), 0);
	expect_eq(rd(MCR), 0x08);
	expect_eq(rd(LSR), 0x60);
	expect_eq(rd(MSR), 0xb0);
	expect_eq(rd(SCR), 0);
	expect_eq(rd(RBR), 0);
	expect(!umbra_uart__irq(&u));
}

UNIT_TEST(registers_hold_what_they_should)
{
	umbra_uart__reset(&u);
	wr(SCR, 0xa5);
	wr(LCR, 0xff);
	wr(DLL, 0x34);
	wr(DLM, 0x12);
	expect_eq(rd(DLL), 0x34);
	expect_eq(rd(DLM), 0x12);
	expect_eq(rd(LCR), 0xff);
	wr(LCR, 0x03);
	wr(IER, 0xff);
	expect_eq(rd(IER), 0x0f);
	expect_eq(rd(RBR), 0);
	expect_eq(rd(SCR), 0xa5);
	wr(MCR, 0xef);
	expect_eq(rd(MCR), 0x0f);
	/* Read-only. */
	wr(LSR, 0x1f);
	wr(MSR, 0x0f);
	expect_eq(rd(LSR), 0x60);
	expect_eq(rd(MSR), 0xb0);
	/* Only three address lines. */
	expect_eq(rd(8 + SCR), 0xa5);
}

/* The steps of autoconfig() in Linux's drivers/tty/serial/8250/8250_port.c. */
UNIT_TEST(linux_detects_a_16550a)
{
	umbra_uart__reset(&u);
	wr(IER, 0);
	expect_eq(rd(IER) & 0x0f, 0);
	wr(IER, 0x0f);
	expect_eq(rd(IER) & 0x0f, 0x0f);
	wr(IER, 0);

	wr(MCR, 0x10 | 0x0a);
	expect_eq(rd(MSR) & 0xf0, 0x90);
	wr(MCR, 0x08);

	wr(LCR, 0xbf);
	wr(FCR, 0);		/* where a 16650 has its EFR */
	wr(LCR, 0);
	wr(FCR, 0x01);
	expect_eq(rd(IIR) >> 6, 3);

	/* A 16650 or 16850 would have zero there, a 16750 bit 5. */
	wr(LCR, 0x80);
	expect(rd(FCR) != 0);
	wr(LCR, 0xbf);
	expect(rd(FCR) != 0);
	wr(LCR, 0);
	wr(FCR, 0x01 | 0x20);
	expect_eq(rd(IIR) & 0x20, 0);
	/* An XScale UART would have a unit enable bit. */
	wr(IER, 0x40);
	expect_eq(rd(IER) & 0x40, 0);
}

/* UART_BUG_TXEN and UART_BUG_THRE in Linux's 8250 driver. */
UNIT_TEST(linux_finds_no_transmitter_bug)
{
	u8 first, second;

	start(0x07);
	/* serial8250_do_startup() clears all of them first. */
	rd(LSR);
	rd(RBR);
	rd(IIR);
	rd(MSR);
	wr(IER, 0x02);
	expect_eq(rd(LSR) & 0x40, 0x40);
	first = rd(IIR);
	wr(IER, 0);
	wr(IER, 0x02);
	second = rd(IIR);
	wr(IER, 0);
	expect_eq(first & 0x01, 0);
	expect_eq(second & 0x01, 0);
}

UNIT_TEST(trigger_levels)
{
	static const u8 level[4] = { 1, 4, 8, 14 };
	unsigned int i, n;

	for (i = 0; i < 4; i++) {
		start(0x01 | i << 6);
		wr(IER, 0x01);
		for (n = 1; n <= 16; n++) {
			push("x");
			expect_eq(umbra_uart__irq(&u), n >= level[i]);
			expect_eq(rd(IIR), n >= level[i] ? 0xc4 : 0xc1);
			expect_eq(rd(LSR), 0x61);
		}
		while (n-- > 1) {
			expect_eq(umbra_uart__irq(&u), n >= level[i]);
			rd(RBR);
		}
		expect_eq(rd(LSR), 0x60);
	}
}

UNIT_TEST(character_timeout)
{
	start(0xc1);
	wr(IER, 0x01);
	umbra_uart__rx_idle(&u);
	expect(!umbra_uart__irq(&u));
	push("ab");
	expect(!umbra_uart__irq(&u));
	umbra_uart__rx_idle(&u);
	expect(umbra_uart__irq(&u));
	expect_eq(rd(IIR), 0xcc);
	/* Reading IIR does not answer it, reading RBR does. */
	expect_eq(rd(IIR), 0xcc);
	expect_eq(rd(RBR), 'a');
	expect_eq(rd(IIR), 0xc1);
	umbra_uart__rx_idle(&u);
	expect_eq(rd(IIR), 0xcc);
	expect_eq(rd(RBR), 'b');
	umbra_uart__rx_idle(&u);
	expect_eq(rd(IIR), 0xc1);
	/* There is none without FIFOs. */
	start(0x00);
	wr(IER, 0x01);
	push("c");
	umbra_uart__rx_idle(&u);
	expect_eq(rd(IIR), 0x04);
}

UNIT_TEST(overrun_with_fifos_loses_the_new)
{
	start(0x01);
	wr(IER, 0x04);
	push("0123456789abcdef");
	expect_eq(umbra_uart__rx_room(&u), 0);
	expect(!umbra_uart__irq(&u));
	push("X");
	expect_eq(rd(IIR), 0xc6);
	expect_eq(rd(LSR), 0x63);
	expect_eq(rd(LSR), 0x61);
	expect(!umbra_uart__irq(&u));
	expect_eq(rd(RBR), '0');
	push("g");
	while (umbra_uart__rx_room(&u) < 15)
		rd(RBR);
	expect_eq(rd(RBR), 'g');
	expect_eq(rd(LSR), 0x60);
}

UNIT_TEST(overrun_without_fifos_loses_the_old)
{
	start(0x00);
	expect_eq(umbra_uart__rx_room(&u), 1);
	push("a");
	expect_eq(umbra_uart__rx_room(&u), 0);
	push("b");
	expect_eq(rd(LSR), 0x63);
	expect_eq(rd(RBR), 'b');
	expect_eq(rd(LSR), 0x60);
}

UNIT_TEST(errors_show_with_their_character)
{
	start(0x01);
	wr(IER, 0x04);
	push("a");
	umbra_uart__rx_push(&u, 0, UMBRA_UART_BREAK);
	umbra_uart__rx_push(&u, 'p', UMBRA_UART_PARITY | UMBRA_UART_FRAMING);
	expect(!umbra_uart__irq(&u));
	expect_eq(rd(LSR), 0xe1);
	expect_eq(rd(RBR), 'a');
	expect_eq(rd(IIR), 0xc6);
	expect_eq(rd(LSR), 0xf1);
	expect_eq(rd(LSR), 0xe1);
	expect(!umbra_uart__irq(&u));
	expect_eq(rd(RBR), 0);
	expect(umbra_uart__irq(&u));
	expect_eq(rd(LSR), 0xed);
	expect_eq(rd(LSR), 0x61);
	expect_eq(rd(RBR), 'p');
	expect_eq(rd(LSR), 0x60);
	/* Without FIFOs there is no bit 7. */
	start(0x00);
	umbra_uart__rx_push(&u, 0, UMBRA_UART_BREAK);
	expect_eq(rd(LSR), 0x71);
	expect_eq(rd(LSR), 0x61);
}

UNIT_TEST(thre_interrupt)
{
	u8 ch;

	start(0x01);
	expect(!umbra_uart__irq(&u));
	wr(IER, 0x02);
	expect(umbra_uart__irq(&u));
	/* Reading IIR answers it. */
	expect_eq(rd(IIR), 0xc2);
	expect_eq(rd(IIR), 0xc1);
	expect(!umbra_uart__irq(&u));
	/* Writing the same IER again does not raise it again. */
	wr(IER, 0x02);
	expect(!umbra_uart__irq(&u));
	/* Off and on does. */
	wr(IER, 0x00);
	wr(IER, 0x02);
	expect(umbra_uart__irq(&u));
	/* Writing THR answers it. */
	wr(THR, 'a');
	wr(THR, 'b');
	expect(!umbra_uart__irq(&u));
	/* It comes when the last character is gone. */
	expect(umbra_uart__tx_pop(&u, &ch));
	expect(!umbra_uart__irq(&u));
	expect(umbra_uart__tx_pop(&u, &ch));
	expect_eq(ch, 'b');
	expect(umbra_uart__irq(&u));
	/* IIR that says something else does not answer it. */
	wr(IER, 0x03);
	push("r");
	expect_eq(rd(IIR), 0xc4);
	rd(RBR);
	expect_eq(rd(IIR), 0xc2);
	expect_eq(rd(IIR), 0xc1);
}

/* xv6 before 2024: IIR is never read, a look at LSR has to do. */
UNIT_TEST(thre_answered_by_lsr)
{
	u8 ch;

	umbra_uart__reset(&u);
	wr(IER, 0x03);
	expect(umbra_uart__irq(&u));
	expect_eq(rd(LSR), 0x60);
	expect(!umbra_uart__irq(&u));
	/* not while there is something to send */
	wr(RBR, 'a');
	expect_eq(rd(LSR), 0x00);
	expect(umbra_uart__tx_pop(&u, &ch));
	expect(umbra_uart__irq(&u));
	expect_eq(rd(LSR), 0x60);
	expect(!umbra_uart__irq(&u));
	/* From the first read of IIR on that alone answers. */
	rd(IIR);
	wr(RBR, 'b');
	expect(umbra_uart__tx_pop(&u, &ch));
	expect_eq(rd(LSR), 0x60);
	expect(umbra_uart__irq(&u));
	expect_eq(rd(IIR) & 0xf, 2);
	expect(!umbra_uart__irq(&u));
}

/* Nobody takes what is sent: LSR says so until somebody does. */
UNIT_TEST(back_pressure)
{
	unsigned int i;
	u8 ch;

	start(0x01);
	wr(IER, 0x02);
	rd(IIR);
	for (i = 0; i < 16; i++) {
		expect(!umbra_uart__tx_full(&u));
		wr(THR, 'a' + i);
		expect_eq(rd(LSR), 0x00);
	}
	expect(umbra_uart__tx_full(&u));
	for (i = 0; i < 15; i++) {
		expect(umbra_uart__tx_pop(&u, &ch));
		expect_eq(ch, 'a' + i);
		expect_eq(rd(LSR), 0x00);
		expect(!umbra_uart__irq(&u));
	}
	expect(umbra_uart__tx_pop(&u, &ch));
	expect_eq(rd(LSR), 0x60);
	expect(umbra_uart__irq(&u));
	expect(!umbra_uart__tx_pop(&u, &ch));
}

UNIT_TEST(transmit_overrun_loses_the_oldest)
{
	unsigned int i;

	start(0x01);
	for (i = 0; i < 18; i++)
		wr(THR, 'a' + i);
	expect_str_eq(sent(), "cdefghijklmnopqr");
	start(0x00);
	wr(THR, 'a');
	wr(THR, 'b');
	expect_str_eq(sent(), "b");
}

UNIT_TEST(changing_the_mode_clears_the_fifos)
{
	start(0x01);
	wr(IER, 0x02);
	rd(IIR);
	push("abc");
	wr(THR, 'x');
	wr(FCR, 0x00);
	expect_eq(rd(LSR), 0x60);
	expect_eq(rd(IIR), 0x02);
	expect_str_eq(sent(), "");
	push("d");
	wr(FCR, 0x01);
	expect_eq(rd(LSR), 0x60);
	/* One at a time. */
	push("e");
	wr(THR, 'y');
	wr(FCR, 0x03);
	expect_eq(rd(LSR), 0x00);
	push("f");
	wr(FCR, 0x05);
	expect_eq(rd(LSR), 0x61);
	/* Without bit 0 the others do not count. */
	start(0x00);
	push("g");
	wr(FCR, 0xc6);
	expect_eq(rd(LSR), 0x61);
	expect_eq(rd(IIR), 0x01);
}

UNIT_TEST(loopback)
{
	start(0x01);
	wr(MCR, 0x10);
	rd(MSR);
	wr(IER, 0x01);
	expect_eq(umbra_uart__rx_room(&u), 0);
	wr(THR, 'q');
	expect_eq(rd(LSR), 0x61);
	expect_eq(rd(IIR), 0xc4);
	expect_eq(rd(RBR), 'q');
	expect_str_eq(sent(), "");
	/* What was still to be sent goes round, too. */
	wr(MCR, 0x00);
	wr(THR, 'r');
	wr(MCR, 0x10);
	expect_eq(rd(RBR), 'r');
	expect_str_eq(sent(), "");
	wr(MCR, 0x00);
	expect_eq(umbra_uart__rx_room(&u), 16);
}

UNIT_TEST(loopback_of_modem_lines)
{
	static const struct { u8 mcr, msr; } pin[] = {
		{ 0x01, 0x20 }, { 0x02, 0x10 }, { 0x04, 0x40 }, { 0x08, 0x80 },
	};
	unsigned int i;

	umbra_uart__reset(&u);
	wr(MCR, 0x10);
	rd(MSR);
	expect_eq(rd(MSR), 0x00);
	wr(IER, 0x08);
	for (i = 0; i < ARRAY_SIZE(pin); i++) {
		bool ring = pin[i].msr == 0x40;

		/* RI has a delta when it falls only. */
		wr(MCR, 0x10 | pin[i].mcr);
		expect_eq(umbra_uart__irq(&u), !ring);
		expect_eq(rd(IIR), ring ? 0x01 : 0x00);
		expect_eq(rd(MSR), pin[i].msr | (ring ? 0 : pin[i].msr >> 4));
		expect_eq(rd(MSR), pin[i].msr);
		expect(!umbra_uart__irq(&u));
		wr(MCR, 0x10);
		expect(umbra_uart__irq(&u));
		expect_eq(rd(MSR), pin[i].msr >> 4);
		expect(!umbra_uart__irq(&u));
	}
}

UNIT_TEST(interrupt_priorities)
{
	start(0x01);
	wr(MCR, 0x10);
	wr(MCR, 0x00);
	wr(IER, 0x0f);
	push("a");
	umbra_uart__rx_push(&u, 0, UMBRA_UART_BREAK);
	rd(RBR);
	expect_eq(rd(IIR), 0xc6);
	rd(LSR);
	expect_eq(rd(IIR), 0xc4);
	rd(RBR);
	expect_eq(rd(IIR), 0xc2);
	expect_eq(rd(IIR), 0xc0);
	rd(MSR);
	expect_eq(rd(IIR), 0xc1);
}

/*
 * The model.  Bits of LSR are kept, not computed; characters lie in a plain
 * array; interrupts are causes that are set and cleared one by one.
 */
struct model_char {
	u8 ch;
	u8 err;
};

static struct model {
	u8 ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
	struct model_char rx[16];
	u8 tx[16];
	int nrx, ntx;
	bool thri, cti;
	bool knows_iir;		/* the guest has read it */
} m;

static int m_size(void)
{
	return m.fcr & 1 ? 16 : 1;
}

static void m_top(void)
{
	m.lsr &= ~1;
	if (m.nrx) {
		m.lsr |= 1 | m.rx[0].err;
		m.rx[0].err = 0;
	}
}

static void m_receive(u8 ch, u8 err)
{
	if (m.nrx == m_size()) {
		m.lsr |= 2;
		if (m_size() == 16)
			return;
		m.nrx = 0;
	}
	m.rx[m.nrx].ch = ch;
	m.rx[m.nrx].err = err;
	m.nrx++;
	m_top();
}

static int m_transmitted(void)
{
	int ch;

	if (!m.ntx)
		return -1;
	ch = m.tx[0];
	m.ntx--;
	memmove(m.tx, m.tx + 1, m.ntx);
	if (!m.ntx) {
		m.lsr |= 0x60;
		m.thri = true;
	}
	return ch;
}

static u8 m_iir(void)
{
	static const int trig[] = { 1, 4, 8, 14 };
	u8 fifo = m.fcr & 1 ? 0xc0 : 0;

	if ((m.ier & 4) && (m.lsr & 0x1e))
		return fifo | 6;
	if ((m.ier & 1) && m.nrx >= (fifo ? trig[m.fcr >> 6] : 1))
		return fifo | 4;
	if ((m.ier & 1) && m.cti)
		return fifo | 0xc;
	if ((m.ier & 2) && m.thri)
		return fifo | 2;
	if ((m.ier & 8) && (m.msr & 0xf))
		return fifo;
	return fifo | 1;
}

static u8 m_read(int reg)
{
	u8 val;
	int i;

	if (reg < 2 && (m.lcr & 0x80))
		return reg ? m.dlm : m.dll;
	switch (reg) {
	case RBR:
		m.cti = false;
		if (!m.nrx)
			return 0;
		val = m.rx[0].ch;
		m.nrx--;
		memmove(m.rx, m.rx + 1, m.nrx * sizeof(m.rx[0]));
		m_top();
		return val;
	case IER:
		return m.ier;
	case IIR:
		val = m_iir();
		m.knows_iir = true;
		if ((val & 0xf) == 2)
			m.thri = false;
		return val;
	case LCR:
		return m.lcr;
	case MCR:
		return m.mcr;
	case LSR:
		val = m.lsr;
		if ((val & 0x20) && !m.knows_iir)
			m.thri = false;
		if (m.fcr & 1) {
			bool bad = val & 0x1c;

			for (i = 0; i < m.nrx; i++)
				bad |= m.rx[i].err;
			val |= bad ? 0x80 : 0;
		}
		m.lsr &= ~0x1e;
		return val;
	case MSR:
		val = m.msr;
		m.msr &= 0xf0;
		return val;
	default:
		return m.scr;
	}
}

static void m_modem(void)
{
	static const struct { u8 out, in; } wire[] = {
		{ 1, 0x20 }, { 2, 0x10 }, { 4, 0x40 }, { 8, 0x80 },
	};
	u8 old = m.msr, now = 0xb0, i;

	if (m.mcr & 0x10)
		for (now = 0, i = 0; i < 4; i++)
			now |= m.mcr & wire[i].out ? wire[i].in : 0;
	for (i = 4; i < 8; i++) {
		bool was = old >> i & 1, is = now >> i & 1;

		if (i == 6 ? was && !is : was != is)
			now |= 1 << (i - 4);
	}
	m.msr = now | (old & 0xf);
}

static void m_loop(void)
{
	int ch;

	while ((m.mcr & 0x10) && (ch = m_transmitted()) >= 0)
		m_receive(ch, 0);
}

static void m_fcr(u8 val)
{
	bool on = val & 1, was = m.fcr & 1;

	if (!on && !was)
		return;
	if (on != was || (val & 2)) {
		m.nrx = 0;
		m.cti = false;
		m.lsr &= ~0x1d;
	}
	if (on != was || (val & 4)) {
		if (m.ntx)
			m.thri = true;
		m.ntx = 0;
		m.lsr |= 0x60;
	}
	m.fcr = on ? val & 0xc9 : 0;
}

static void m_thr(u8 val)
{
	if (m.ntx == m_size()) {
		m.ntx--;
		memmove(m.tx, m.tx + 1, m.ntx);
	}
	m.tx[m.ntx++] = val;
	m.lsr &= ~0x60;
	m.thri = false;
	m_loop();
}

static void m_write(int reg, u8 val)
{
	if (reg < 2 && (m.lcr & 0x80)) {
		*(reg ? &m.dlm : &m.dll) = val;
		return;
	}
	switch (reg) {
	case THR:
		m_thr(val);
		break;
	case IER:
		if (!(m.ier & 2) && (val & 2) && (m.lsr & 0x20))
			m.thri = true;
		if (!(val & 2))
			m.thri = false;
		m.ier = val & 0xf;
		break;
	case FCR:
		m_fcr(val);
		break;
	case LCR:
		m.lcr = val;
		break;
	case MCR:
		m.mcr = val & 0x1f;
		m_modem();
		m_loop();
		break;
	case SCR:
		m.scr = val;
		break;
	}
}

/* Values that drivers write; random ones would seldom leave odd modes. */
static u8 random_value(int reg)
{
	u8 val = unit_rand();

	if (reg == LCR && unit_rand_below(8))
		return val & 0x7f;
	if (reg == MCR && unit_rand_below(4))
		return val & 0x0f;
	if (reg == FCR && unit_rand_below(4))
		return (val & ~6) | 1;
	return val;
}

static void random_receive(void)
{
	static const u8 errs[] = { 0, 0, 0, 4, 8, 0x10, 0x1c };
	u8 err = errs[unit_rand_below(ARRAY_SIZE(errs))];
	int n = unit_rand_below(8);
	u8 ch = unit_rand();

	while (n--) {
		m_receive(ch, err);
		umbra_uart__rx_push(&u, ch++, err);
		err = 0;
	}
}

static void random_transmitted(void)
{
	int n = unit_rand_below(12);

	while (n--) {
		int want = m_transmitted();
		u8 ch;

		expect_eq(umbra_uart__tx_pop(&u, &ch), want >= 0);
		if (want >= 0)
			expect_eq(ch, want);
	}
}

static unsigned long plain;

static void random_step(void)
{
	int reg = unit_rand_below(8);
	u8 val;

	/* The owner may answer for it: so LSR reads then, and that leaves no trace. */
	val = umbra_uart__plain_tx(&u);
	if (val && unit_rand_below(2)) {
		expect_eq(val, m_read(LSR));
		plain++;
	}
	switch (unit_rand_below(12)) {
	case 0 ... 3:
		val = m_read(reg);
		if (!expect_eq(rd(reg), val))
			printf("# register %d\n", reg);
		break;
	case 4 ... 6:
		val = random_value(reg);
		m_write(reg, val);
		wr(reg, val);
		break;
	case 7:
		/* More of what moves data. */
		val = unit_rand();
		m_write(THR, val);
		wr(THR, val);
		break;
	case 8:
		if ((m.fcr & 1) && m.nrx)
			m.cti = true;
		umbra_uart__rx_idle(&u);
		break;
	case 9 ... 10:
		random_receive();
		break;
	default:
		random_transmitted();
	}
}

UNIT_TEST(random_against_model)
{
	int run, step;

	for (run = 0; run < 300; run++) {
		umbra_uart__reset(&u);
		memset(&m, 0, sizeof(m));
		m.mcr = 8;
		m.lsr = 0x60;
		m.msr = 0xb0;
		m.dll = 0x0c;
		for (step = 0; step < 2000; step++) {
			random_step();
			expect_eq(umbra_uart__irq(&u), !(m_iir() & 1));
			expect_eq(umbra_uart__tx_full(&u), m.ntx == m_size());
			expect_eq(umbra_uart__rx_room(&u),
				  m.mcr & 0x10 ? 0 : m_size() - m.nrx);
			require_eq(u.tx.count, m.ntx);
		}
	}
	expect(plain > 1000);
}

UNIT_TEST(plain_transmitter)
{
	start(0x01);
	expect_eq(umbra_uart__plain_tx(&u), 0x60);
	wr(THR, 'a');
	expect_eq(umbra_uart__plain_tx(&u), 0);
	sent();
	expect_eq(umbra_uart__plain_tx(&u), 0x60);
	wr(IER, 0x02);
	expect_eq(umbra_uart__plain_tx(&u), 0);
	wr(IER, 0x0d);
	expect_eq(umbra_uart__plain_tx(&u), 0x60);
	/* DLL is where THR was. */
	wr(LCR, 0x83);
	expect_eq(umbra_uart__plain_tx(&u), 0);
	wr(LCR, 0x03);
	wr(MCR, 0x10);
	expect_eq(umbra_uart__plain_tx(&u), 0);
	wr(MCR, 0);
	push("b");
	expect_eq(umbra_uart__plain_tx(&u), 0);
	rd(RBR);
	expect_eq(umbra_uart__plain_tx(&u), 0x60);
	for (int i = 0; i < 17; i++)
		push("c");
	for (int i = 0; i < 16; i++)
		rd(RBR);
	/* The overrun has not been shown yet. */
	expect_eq(umbra_uart__plain_tx(&u), 0);
	expect_eq(rd(LSR), 0x62);
	expect_eq(umbra_uart__plain_tx(&u), 0x60);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
