/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of an NS16550A, as QEMU's `virt` machine presents it.
 *
 * Pure: no kernel call, no clock, no lock.  The owner (uart16550_dev.c, or a
 * unit test) serialises all calls on one struct umbra_uart, moves bytes with
 * the rx and tx hooks, and copies umbra_uart__irq() to the interrupt line
 * after each call that may have changed something.
 *
 * "Section" in comments is one of the data sheet "PC16550D Universal
 * Asynchronous Receiver/Transmitter with FIFOs", National Semiconductor 1995.
 */
#ifndef UMBRA_UART16550_H
#define UMBRA_UART16550_H

#include "../vmm_core/base.h"

/* Bytes of address space; registers are one byte apart. */
#define UMBRA_UART_SPAN		8
#define UMBRA_UART_FIFO		16

/* Errors that come with a received character; they are LSR bits. */
#define UMBRA_UART_PARITY	0x04
#define UMBRA_UART_FRAMING	0x08
#define UMBRA_UART_BREAK	0x10

/**
 * struct umbra_uart_fifo - a ring of characters
 * @data: the characters
 * @err: per character, UMBRA_UART_* that it was received with and that LSR
 *	has not shown yet; always 0 in the transmitter
 * @head: index of the oldest character, < UMBRA_UART_FIFO
 * @count: characters held, <= the depth of the current mode (16 or 1)
 */
struct umbra_uart_fifo {
	u8 data[UMBRA_UART_FIFO];
	u8 err[UMBRA_UART_FIFO];
	u8 head;
	u8 count;
};

/**
 * struct umbra_uart - all state of one UART
 * @ier: interrupt enable, low four bits
 * @fcr: what sticks of the FIFO control: enable, DMA mode, trigger
 * @lcr: line control
 * @mcr: modem control, low five bits
 * @msr: modem status with its delta bits
 * @scr: scratch
 * @dll: divisor, low byte; it times nothing here
 * @dlm: divisor, high byte
 * @line_err: OE PE FE BI that the next read of LSR shows and clears
 * @thr_empty: the transmitter ran empty and neither IIR nor THR was touched
 *	since: the THRE interrupt (section 8.5, IIR)
 * @iir_read: IIR has been read since the reset
 * @timeout: characters have waited below the trigger level for 4 character
 *	times: the character timeout indication (section 8.5)
 * @rx: receiver FIFO
 * @tx: transmitter FIFO, the shift register included
 */
struct umbra_uart {
	u8 ier;
	u8 fcr;
	u8 lcr;
	u8 mcr;
	u8 msr;
	u8 scr;
	u8 dll;
	u8 dlm;
	u8 line_err;
	bool thr_empty;
	bool iir_read;
	bool timeout;
	struct umbra_uart_fifo rx;
	struct umbra_uart_fifo tx;
};

void umbra_uart__reset(struct umbra_uart *u);

u8 umbra_uart__read(struct umbra_uart *u, unsigned int reg);
void umbra_uart__write(struct umbra_uart *u, unsigned int reg, u8 val);
bool umbra_uart__irq(const struct umbra_uart *u);

unsigned int umbra_uart__rx_room(const struct umbra_uart *u);
void umbra_uart__rx_push(struct umbra_uart *u, u8 ch, u8 err);
void umbra_uart__rx_idle(struct umbra_uart *u);

u8 umbra_uart__plain_tx(const struct umbra_uart *u);
bool umbra_uart__tx_pop(struct umbra_uart *u, u8 *ch);
bool umbra_uart__tx_full(const struct umbra_uart *u);

#endif /* UMBRA_UART16550_H */
