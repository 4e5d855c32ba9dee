/* The bus and the power switch of the part on it. */
#ifndef SPI_H
#define SPI_H

#include <avr/io.h>
#include <stdbool.h>
#include <stdint.h>

#include "board.h"

#define SPI_IDLE 0xFF
#define SPI_WAIT_US(us) __builtin_avr_delay_cycles(F_CPU / 1000000UL * (us))

static inline void spi_select(void) { PORTB &= (uint8_t)~_BV(WIRE_SELECT); }
static inline void spi_deselect(void) { PORTB |= _BV(WIRE_SELECT); }

/* A timed read leaves SPIF set, and polling would be fooled: reading SPSR and then writing SPDR
 * clears it. */
static inline uint8_t spi_exchange(uint8_t byte) {
    (void)SPSR;
    SPDR = byte;
    while (!(SPSR & _BV(SPIF)))
        ;
    return SPDR;
}

/* Lets the byte in flight arrive, at the full clock. */
static inline void spi_settle(void) { __builtin_avr_delay_cycles(18); }

/* clk/64: 250 kHz at 16 MHz, or clk/2. */
static inline void spi_clock(bool full) {
    SPSR = full ? _BV(SPI2X) : 0;
    SPCR = full ? _BV(SPE) | _BV(MSTR) : _BV(SPE) | _BV(MSTR) | _BV(SPR1);
}

static inline void spi_on(void) {
    PRR &= (uint8_t)~_BV(PRSPI);
    PORTB = (PORTB & (uint8_t)~_BV(WIRE_POWER)) | _BV(WIRE_SELECT) | _BV(WIRE_IN);
    DDRB |= _BV(WIRE_POWER) | _BV(WIRE_SELECT) | _BV(WIRE_CLOCK) | _BV(WIRE_OUT);
}

/* No pin feeds the part: the select line follows its supply through a resistor. */
static inline void spi_off(void) {
    SPCR = 0;
    PRR |= _BV(PRSPI);
    DDRB &= (uint8_t)~_BV(WIRE_SELECT);
    PORTB &= (uint8_t) ~(_BV(WIRE_SELECT) | _BV(WIRE_CLOCK) | _BV(WIRE_OUT) | _BV(WIRE_IN));
    PORTB |= _BV(WIRE_POWER);
    DDRB |= _BV(WIRE_POWER);
}

#endif
