/* USART0, 8N1, double speed. */
#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "board.h"
#include "idle.h"
#include "port.h"

#define DIVISOR ((F_CPU + 4UL * BOARD_BAUD) / (8UL * BOARD_BAUD) - 1)
#define ACTUAL_BAUD (F_CPU / (8UL * (DIVISOR + 1)))
#if ACTUAL_BAUD * 1000 > BOARD_BAUD * 1025 || ACTUAL_BAUD * 1000 < BOARD_BAUD * 975
#error "this clock cannot make this baud rate within 2.5 %"
#endif

#ifndef RING_BYTES
#define RING_BYTES 64
#endif

static volatile uint8_t ring[RING_BYTES];
static volatile uint8_t head; /* written by the interrupt */
static uint8_t tail;

static inline uint8_t after(uint8_t at) { return ++at == RING_BYTES ? 0 : at; }

void uart_begin(void) {
    /* The bootloader may jump here without a reset: every register is written. */
    UBRR0 = DIVISOR;
    UCSR0A = _BV(U2X0);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXCIE0) | _BV(RXEN0) | _BV(TXEN0);
}

ISR(USART_RX_vect) {
    uint8_t byte = UDR0;
    uint8_t next = after(head);
    if (next != tail) { /* a full ring drops it; the frame's CRC tells */
        ring[head] = byte;
        head = next;
    }
}

bool uart_has_received(void) { return tail != head; }

int16_t port_receive(void) {
    if (!uart_has_received())
        return -1;
    uint8_t byte = ring[tail];
    tail = after(tail);
    return byte;
}

ISR(USART_UDRE_vect) { UCSR0B &= (uint8_t)~_BV(UDRIE0); /* it was only to wake the CPU */ }

void port_send(uint8_t byte) {
    while (!(UCSR0A & _BV(UDRE0))) {
        cli();
        UCSR0B |= _BV(UDRIE0); /* due at once if the register is empty by now */
        idle_until_interrupt();
    }
    UCSR0A |=
        _BV(TXC0); /* cleared by writing it: uart_flush() waits for the one of the last byte */
    UDR0 = byte;
}

void uart_flush(void) {
    while (!(UCSR0A & _BV(TXC0)))
        ;
}
