// The part on the SPI bus of a test's firmware: chip select D10, the supply's switch D8.
#ifndef PART_H
#define PART_H

#include <avr/io.h>

enum { SELECT = _BV(PB2), POWER = _BV(PB0), PINS = SELECT | POWER | _BV(PB3) | _BV(PB5) };

static uint8_t exchange(uint8_t byte) {
    SPDR = byte;
    while (!(SPSR & _BV(SPIF)))
        ;
    return SPDR;
}

#endif
