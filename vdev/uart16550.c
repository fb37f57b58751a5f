// SPDX-License-Identifier: GPL-2.0
/*
 * The register file of an NS16550A; see uart16550.h for who calls it.
 *
 * Bytes move at once: there is no baud rate.  What the transmitter holds
 * leaves when the owner pops it, and LSR says "not empty" for exactly as long
 * as the owner does not, which is how back-pressure reaches the guest.
 *
 * Where data sheet and QEMU differ in ways that a driver can see, the choice
 * and its reason are at the place.
 */
#include "uart16550.h"

enum {
	REG_RBR_THR	= 0,	/* DLL while LCR.DLAB */
	REG_IER		= 1,	/* DLM while LCR.DLAB */
	REG_IIR_FCR	= 2,
	REG_LCR		= 3,
	REG_MCR		= 4,
	REG_LSR		= 5,
	REG_MSR		= 6,
	REG_SCR		= 7,
};

#define IER_RX			0x01
#define IER_THRE		0x02
#define IER_LINE		0x04
#define IER_MODEM		0x08
#define IER_MASK		0x0f

/* Interrupt identification, highest priority first (section 8.5, table IV). */
#define IIR_LINE		0x06
#define IIR_RX			0x04
#define IIR_TIMEOUT		0x0c
#define IIR_THRE		0x02
#define IIR_MODEM		0x00
#define IIR_NONE		0x01
#define IIR_FIFOS		0xc0	/* FIFOs enabled; what tells a 16550A */

#define FCR_ENABLE		0x01
#define FCR_RX_RESET		0x02
#define FCR_TX_RESET		0x04
#define FCR_STICKY		0xc9
#define FCR_TRIGGER_SHIFT	6

#define LCR_DLAB		0x80

#define MCR_DTR			0x01
#define MCR_RTS			0x02
#define MCR_OUT1		0x04
#define MCR_OUT2		0x08
#define MCR_LOOP		0x10
#define MCR_MASK		0x1f

#define LSR_READY		0x01
#define LSR_OVERRUN		0x02
#define LSR_CHAR_ERR		(UMBRA_UART_PARITY | UMBRA_UART_FRAMING | \
				 UMBRA_UART_BREAK)
#define LSR_THRE		0x20
#define LSR_TEMT		0x40
#define LSR_FIFO_ERR		0x80

#define MSR_DELTAS		0x0f
#define MSR_TERI		0x04	/* trailing edge of RI: its "delta" */
#define MSR_CTS			0x10
#define MSR_DSR			0x20
#define MSR_RI			0x40
#define MSR_DCD			0x80
#define MSR_LINES		0xf0
/* What is plugged in: someone listening, no bell. */
#define MSR_PEER		(MSR_DCD | MSR_DSR | MSR_CTS)

/* 9600 baud from QEMU's clock; QEMU's reset value. */
#define DLL_RESET		0x0c

static bool fifo_mode(const struct umbra_uart *u)
{
	return u->fcr & FCR_ENABLE;
}

static bool looped(const struct umbra_uart *u)
{
	return u->mcr & MCR_LOOP;
}

/* Without FIFOs there is one holding register each way (section 8.0). */
static unsigned int depth(const struct umbra_uart *u)
{
	return fifo_mode(u) ? UMBRA_UART_FIFO : 1;
}

static unsigned int trigger(const struct umbra_uart *u)
{
	static const u8 level[4] = { 1, 4, 8, 14 };

	return fifo_mode(u) ? level[u->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

static unsigned int fifo_slot(const struct umbra_uart_fifo *f, unsigned int i)
{
	return (f->head + i) % UMBRA_UART_FIFO;
}

static void fifo_put(struct umbra_uart_fifo *f, u8 ch, u8 err)
{
	unsigned int slot = fifo_slot(f, f->count);

	f->data[slot] = ch;
	f->err[slot] = err;
	f->count++;
}

static u8 fifo_get(struct umbra_uart_fifo *f)
{
	u8 ch = f->data[f->head];

	f->head = fifo_slot(f, 1);
	f->count--;
	return ch;
}

static void fifo_reset(struct umbra_uart_fifo *f)
{
	f->head = 0;
	f->count = 0;
}

/*
 * "This error is revealed to the CPU when its associated character is at the
 * top of the FIFO" (section 8.4, bits 2-4).  Called when the top changed.
 */
static void rx_reveal(struct umbra_uart *u)
{
	struct umbra_uart_fifo *f = &u->rx;

	if (!f->count)
		return;
	u->line_err |= f->err[f->head];
	f->err[f->head] = 0;
}

static void rx_reset(struct umbra_uart *u)
{
	fifo_reset(&u->rx);
	u->timeout = false;
	/* They belonged to characters that are gone. */
	u->line_err &= ~LSR_CHAR_ERR;
}

static void tx_reset(struct umbra_uart *u)
{
	if (u->tx.count)
		u->thr_empty = true;
	fifo_reset(&u->tx);
}

/**
 * umbra_uart__rx_room() - how many characters the receiver takes now
 * @u: the UART
 *
 * In loopback the receiver is cut off from the line (section 8.6, bit 4): the
 * owner keeps what it has, and nothing is lost.
 *
 * Return: characters that rx_push() takes without an overrun.
 */
unsigned int umbra_uart__rx_room(const struct umbra_uart *u)
{
	return looped(u) ? 0 : depth(u) - u->rx.count;
}

/**
 * umbra_uart__rx_push() - a character arrives
 * @u: the UART
 * @ch: the character; 0 for a break
 * @err: UMBRA_UART_* errors that it comes with
 *
 * More than rx_room() is an overrun (section 8.4, bit 1): the character in the
 * shift register is lost when FIFOs are on, the one in RBR when they are off.
 */
void umbra_uart__rx_push(struct umbra_uart *u, u8 ch, u8 err)
{
	err &= LSR_CHAR_ERR;
	if (u->rx.count == depth(u)) {
		u->line_err |= LSR_OVERRUN;
		if (fifo_mode(u))
			return;
		fifo_reset(&u->rx);
	}
	fifo_put(&u->rx, ch, err);
	if (u->rx.count == 1)
		rx_reveal(u);
}

/**
 * umbra_uart__rx_idle() - the line was silent for four character times
 * @u: the UART
 *
 * Time is the owner's: one that knows that nothing more is coming may say so
 * at once.  Needed after rx_push() and after each read of RBR, which starts
 * the count anew (section 8.5, "character timeout").
 */
void umbra_uart__rx_idle(struct umbra_uart *u)
{
	if (fifo_mode(u) && u->rx.count)
		u->timeout = true;
}

/**
 * umbra_uart__tx_pop() - the line takes a character
 * @u: the UART
 * @ch: where to put it
 *
 * Return: false when the transmitter is empty.
 */
bool umbra_uart__tx_pop(struct umbra_uart *u, u8 *ch)
{
	if (!u->tx.count)
		return false;
	*ch = fifo_get(&u->tx);
	if (!u->tx.count)
		u->thr_empty = true;
	return true;
}

/**
 * umbra_uart__tx_full() - would a write to THR destroy a character?
 * @u: the UART
 *
 * Return: true when the guest, in spite of LSR, would lose one.
 */
bool umbra_uart__tx_full(const struct umbra_uart *u)
{
	return u->tx.count == depth(u);
}

/* What the loop feeds back, with RI and DCD driven by OUT1 and OUT2. */
static u8 loop_lines(u8 mcr)
{
	return (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_RTS ? MSR_CTS : 0) |
	       (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/*
 * Section 8.6: in loopback "the modem control interrupts are also operational",
 * so changes leave deltas.  (QEMU shows the lines but leaves none.)
 */
static void msr_update(struct umbra_uart *u)
{
	u8 lines = looped(u) ? loop_lines(u->mcr) : MSR_PEER;
	u8 deltas = ((lines ^ u->msr) & MSR_LINES) >> 4;

	/* RI counts when it falls only. */
	if (lines & MSR_RI)
		deltas &= ~MSR_TERI;
	u->msr = lines | (u->msr & MSR_DELTAS) | deltas;
}

/* In loopback what is transmitted is received, and the line sees nothing. */
static void tx_loop(struct umbra_uart *u)
{
	u8 ch;

	if (!looped(u))
		return;
	while (umbra_uart__tx_pop(u, &ch))
		umbra_uart__rx_push(u, ch, 0);
}

static u8 interrupt_id(const struct umbra_uart *u)
{
	if ((u->ier & IER_LINE) && u->line_err)
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->rx.count >= trigger(u))
		return IIR_RX;
	if ((u->ier & IER_RX) && u->timeout)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thr_empty)
		return IIR_THRE;
	if ((u->ier & IER_MODEM) && (u->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

/**
 * umbra_uart__irq() - the interrupt output
 * @u: the UART
 *
 * A level.  OUT2 does not gate it: that is wiring of the PC, not of `virt`.
 *
 * Return: true when the line is high.
 */
bool umbra_uart__irq(const struct umbra_uart *u)
{
	return interrupt_id(u) != IIR_NONE;
}

static u8 rbr_read(struct umbra_uart *u)
{
	u8 ch;

	u->timeout = false;
	if (!u->rx.count)
		return 0;
	ch = fifo_get(&u->rx);
	rx_reveal(u);
	return ch;
}

static void thr_write(struct umbra_uart *u, u8 ch)
{
	/* "Transmit overruns overwrite": the oldest goes, as in QEMU. */
	if (umbra_uart__tx_full(u))
		fifo_get(&u->tx);
	fifo_put(&u->tx, ch, 0);
	u->thr_empty = false;
	tx_loop(u);
}

/*
 * Enabling the THRE interrupt with an empty transmitter raises it, even when
 * IIR was read before.  The data sheet does not say so; hardware does it, QEMU
 * does it, and Linux's 8250 driver tests for it (UART_BUG_THRE, UART_BUG_TXEN).
 */
static void ier_write(struct umbra_uart *u, u8 val)
{
	u8 changed = u->ier ^ val;

	u->ier = val & IER_MASK;
	if (changed & IER_THRE)
		u->thr_empty = (val & IER_THRE) && !u->tx.count;
}

/* Section 8.5: reading IIR answers the THRE interrupt if that is what it says */
static u8 iir_read(struct umbra_uart *u)
{
	u8 id = interrupt_id(u);

	u->iir_read = true;
	if (id == IIR_THRE)
		u->thr_empty = false;
	return id | (fifo_mode(u) ? IIR_FIFOS : 0);
}

/*
 * Section 8.3.  Changing the mode clears both FIFOs; bits other than the
 * enable count only when that is 1.
 */
static void fcr_write(struct umbra_uart *u, u8 val)
{
	if ((val ^ u->fcr) & FCR_ENABLE)
		val |= FCR_RX_RESET | FCR_TX_RESET;
	else if (!(val & FCR_ENABLE))
		return;

	if (val & FCR_RX_RESET)
		rx_reset(u);
	if (val & FCR_TX_RESET)
		tx_reset(u);
	u->fcr = val & FCR_ENABLE ? val & FCR_STICKY : 0;
}

static void mcr_write(struct umbra_uart *u, u8 val)
{
	u->mcr = val & MCR_MASK;
	msr_update(u);
	tx_loop(u);
}

/* Section 8.4, bit 7: an error somewhere in the FIFO, shown yet or not. */
static bool fifo_err(const struct umbra_uart *u)
{
	unsigned int i;

	if (!fifo_mode(u))
		return false;
	if (u->line_err & LSR_CHAR_ERR)
		return true;
	for (i = 0; i < u->rx.count; i++)
		if (u->rx.err[fifo_slot(&u->rx, i)])
			return true;
	return false;
}

/*
 * A driver that never reads IIR, as xv6's until 2024, answers the THRE interrupt
 * by nothing but the look at LSR that shows THRE.  With a PLIC that asks again
 * as long as the line is high it would get no further; QEMU's does not.  Once
 * IIR was read, the data sheet alone counts.
 */
static u8 lsr_read(struct umbra_uart *u)
{
	u8 val = u->line_err;

	if (!u->tx.count && !u->iir_read)
		u->thr_empty = false;

	if (u->rx.count)
		val |= LSR_READY;
	if (!u->tx.count)
		val |= LSR_THRE | LSR_TEMT;
	if (fifo_err(u))
		val |= LSR_FIFO_ERR;
	u->line_err = 0;
	return val;
}

static u8 msr_read(struct umbra_uart *u)
{
	u8 val = u->msr;

	u->msr &= ~MSR_DELTAS;
	return val;
}

static bool divisor_access(const struct umbra_uart *u)
{
	return u->lcr & LCR_DLAB;
}

/**
 * umbra_uart__read() - the guest reads a register
 * @u: the UART
 * @reg: its number; only the low three bits count
 *
 * Return: the value.
 */
u8 umbra_uart__read(struct umbra_uart *u, unsigned int reg)
{
	switch (reg % UMBRA_UART_SPAN) {
	case REG_RBR_THR:
		return divisor_access(u) ? u->dll : rbr_read(u);
	case REG_IER:
		return divisor_access(u) ? u->dlm : u->ier;
	case REG_IIR_FCR:
		return iir_read(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return lsr_read(u);
	case REG_MSR:
		return msr_read(u);
	default:
		return u->scr;
	}
}

/**
 * umbra_uart__write() - the guest writes a register
 * @u: the UART
 * @reg: its number; only the low three bits count
 * @val: the value
 *
 * LSR and MSR are read-only; so they are for Linux, QEMU and most chips.
 */
void umbra_uart__write(struct umbra_uart *u, unsigned int reg, u8 val)
{
	switch (reg % UMBRA_UART_SPAN) {
	case REG_RBR_THR:
		if (divisor_access(u))
			u->dll = val;
		else
			thr_write(u, val);
		break;
	case REG_IER:
		if (divisor_access(u))
			u->dlm = val;
		else
			ier_write(u, val);
		break;
	case REG_IIR_FCR:
		fcr_write(u, val);
		break;
	case REG_LCR:
		u->lcr = val;
		break;
	case REG_MCR:
		mcr_write(u, val);
		break;
	case REG_SCR:
		u->scr = val;
		break;
	default:
		break;
	}
}

/**
 * umbra_uart__plain_tx() - is there nothing to the UART now but transmitting?
 * @u: the UART
 *
 * Then reading LSR changes nothing that can be seen, and a character written to THR
 * does nothing but leave, if the owner pops it at once.  (thr_empty may change: with
 * the interrupt off nobody sees it, and turning that on sets it anew.)
 *
 * Return: what LSR reads as; 0: there is more.
 */
u8 umbra_uart__plain_tx(const struct umbra_uart *u)
{
	if (divisor_access(u) || looped(u) || (u->ier & IER_THRE) ||
	    u->tx.count || u->rx.count || u->line_err)
		return 0;
	return LSR_THRE | LSR_TEMT;
}

/**
 * umbra_uart__reset() - the state after power-on
 * @u: the UART
 *
 * QEMU's: OUT2 set, a peer on the line, the divisor not zero.
 */
void umbra_uart__reset(struct umbra_uart *u)
{
	memset(u, 0, sizeof(*u));
	u->mcr = MCR_OUT2;
	u->msr = MSR_PEER;
	u->dll = DLL_RESET;
}
