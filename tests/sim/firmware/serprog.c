// A programmer of SPI flash chips for flashrom: its protocol "serprog", version 1, over the serial
// line.

#include "part.h"
#include "serial.h"

#include <avr/io.h>
#include <util/delay.h>

enum { ACK = 0x06, NAK = 0x15, BUS_SPI = 8 };
enum {
    NOP = 0x00,
    QUERY_INTERFACE = 0x01,
    QUERY_COMMANDS = 0x02,
    QUERY_NAME = 0x03,
    QUERY_BUFFER = 0x04,
    QUERY_BUS = 0x05,
    SYNCHRONISE = 0x10,
    SET_BUS = 0x12,
    SPI = 0x13,
};

static uint32_t get24(void) {
    uint32_t low = get(), middle = get(), high = get();
    return low | middle << 8 | high << 16;
}

static void operate(void) {
    uint32_t sent = get24(), wanted = get24();
    PORTB &= ~SELECT;
    while (sent--)
        exchange(get());
    put(ACK);
    while (wanted--)
        put(exchange(0xFF));
    PORTB |= SELECT;
}

static void answer(uint8_t command) {
    static const uint8_t commands[] = {0x3F, 0x00, 0x0D};
    static const char name[16] = "virtual board";
    switch (command) {
    case SYNCHRONISE:
        put(NAK);
        put(ACK);
        return;
    case SPI:
        operate();
        return;
    case SET_BUS:
        put(get() == BUS_SPI ? ACK : NAK);
        return;
    case NOP:
    case QUERY_INTERFACE:
    case QUERY_COMMANDS:
    case QUERY_NAME:
    case QUERY_BUFFER:
    case QUERY_BUS:
        put(ACK);
        break;
    default:
        put(NAK);
        return;
    }
    if (command == QUERY_INTERFACE) {
        put(1);
        put(0);
    } else if (command == QUERY_COMMANDS) {
        for (uint8_t at = 0; at < 32; at++)
            put(at < sizeof commands ? commands[at] : 0);
    } else if (command == QUERY_NAME) {
        for (uint8_t at = 0; at < sizeof name; at++)
            put(name[at]);
    } else if (command == QUERY_BUFFER) {
        put(0xFF); // it keeps up with the line
        put(0xFF);
    } else if (command == QUERY_BUS) {
        put(BUS_SPI);
    }
}

int main(void) {
    serial_begin();
    PORTB = SELECT;
    DDRB = PINS;
    SPCR = _BV(SPE) | _BV(MSTR);
    SPSR = _BV(SPI2X);
    _delay_ms(5);
    for (;;)
        answer(get());
}
