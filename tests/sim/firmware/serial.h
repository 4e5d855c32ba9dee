// The serial line of a test's firmware: polled, 8N1, UBRR from BAUD.
#ifndef SERIAL_H
#define SERIAL_H

#include <avr/io.h>

static inline void serial_begin(void) {
    UBRR0 = (F_CPU + BAUD * 4L) / (BAUD * 8L) - 1;
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
}

static void put(uint8_t byte) {
    while (!(UCSR0A & _BV(UDRE0)))
        ;
    UDR0 = byte;
}

static uint8_t get(void) {
    while (!(UCSR0A & _BV(RXC0)))
        ;
    return UDR0;
}

#endif
