// A firmware that moves bytes over SPI on command, for whoever knows the part at the other end.
//
// Every command is one letter; answers are described at each case.

#include "part.h"
#include "serial.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

// The next byte that is not FFh, and a marker.
static uint8_t awaited(void) {
    uint8_t got;
    while ((got = exchange(0xFF)) == 0xFF)
        ;
    GPIOR0 = 2;
    return got;
}

static volatile uint8_t interrupted;

ISR(SPI_STC_vect) { interrupted = SPDR; }

// Writes `first` to SPDR, waits, and reads SPDR that many cycles after the write.
static uint8_t read_after(uint8_t cycles, uint8_t first) {
    uint8_t got;
    __asm__ volatile("ldi r30, pm_lo8(2f)\n"
                     "ldi r31, pm_hi8(2f)\n"
                     "sub r30, %1\n"
                     "sbc r31, r1\n"
                     "out %3, %2\n"
                     "ijmp\n" // 2 cycles
                     ".rept 60\n nop\n .endr\n"
                     "2: in %0, %3\n"
                     : "=r"(got)
                     : "r"((uint8_t)(cycles - 3)), "r"(first), "I"(_SFR_IO_ADDR(SPDR))
                     : "r30", "r31");
    return got;
}

// Writes `first` and then `second` to SPDR, so many cycles apart.
static void write_after(uint8_t cycles, uint8_t first, uint8_t second) {
    __asm__ volatile("ldi r30, pm_lo8(2f)\n"
                     "ldi r31, pm_hi8(2f)\n"
                     "sub r30, %0\n"
                     "sbc r31, r1\n"
                     "out %3, %1\n"
                     "ijmp\n" // 2 cycles
                     ".rept 60\n nop\n .endr\n"
                     "2: out %3, %2\n" ::"r"((uint8_t)(cycles - 3)),
                     "r"(first), "r"(second), "I"(_SFR_IO_ADDR(SPDR))
                     : "r30", "r31");
}

// Takes a byte every 18 cycles and throws it away: 65536 of them.
static void stream(void) {
    __asm__ volatile("ldi r26, 0\n"
                     "ldi r27, 0\n"
                     "ldi r18, 0xFF\n"
                     "out %0, r18\n"
                     "ldi r19, 4\n"
                     "3: dec r19\n"
                     "brne 3b\n"
                     "nop\n nop\n nop\n nop\n"
                     "1: in r0, %0\n"
                     "out %0, r18\n"
                     "ldi r19, 4\n" // 1 + 3 * 4 - 1 = 12
                     "2: dec r19\n"
                     "brne 2b\n"
                     "adiw r26, 1\n" // 2
                     "brne 1b\n"     // 2
                     "nop\n nop\n"
                     "in r0, %1\n" // timed reads leave SPIF set: the next poll would believe it
                     "in r0, %0\n" ::"I"(_SFR_IO_ADDR(SPDR)),
                     "I"(_SFR_IO_ADDR(SPSR))
                     : "r18", "r19", "r26", "r27");
}

int main(void) {
    serial_begin();
    PORTB = SELECT | POWER;
    DDRB = PINS;
    put('!');
    for (;;) {
        switch (get()) {
        case 'c': // SPCR, SPSR
            SPCR = get();
            SPSR = get();
            break;
        case 'd': // DDRB
            DDRB = get();
            break;
        case 's':
            PORTB &= ~SELECT;
            break;
        case 'u':
            PORTB |= SELECT;
            break;
        case 'o': // power on
            PORTB &= ~POWER;
            break;
        case 'f': // and off
            PORTB |= POWER;
            break;
        case 'x': { // exchange the next byte; answers what came
            put(exchange(get()));
            break;
        }
        case 'w': { // write COUNT (two bytes, low first) bytes; answers the last that came
            uint16_t count = get();
            count |= get() << 8;
            uint8_t last = 0;
            while (count--)
                last = exchange(get());
            put(last);
            break;
        }
        case 'r': { // exchange FFh COUNT times; answers all that came
            uint16_t count = get();
            count |= get() << 8;
            while (count--)
                put(exchange(0xFF));
            break;
        }
        case 'b': { // exchange FFh until something else than VALUE comes, between markers; answers
                    // it
            uint8_t value = get(), got;
            GPIOR0 = 1;
            while ((got = exchange(0xFF)) == value)
                ;
            GPIOR0 = 2;
            put(got);
            break;
        }
        case 'k': { // a card's command, 6 bytes; answers R1, then what comes after the next FFhs
            uint8_t frame[6], r1;
            for (uint8_t at = 0; at < 6; at++)
                frame[at] = get();
            for (uint8_t at = 0; at < 6; at++)
                exchange(frame[at]);
            GPIOR0 = 1;
            while ((r1 = exchange(0xFF)) & 0x80)
                ;
            put(r1);
            put(awaited());
            break;
        }
        case 'g': // skip a block and its check; answers what comes after the next FFhs
            for (uint16_t left = 514; left; left--)
                exchange(0xFF);
            GPIOR0 = 1;
            put(awaited());
            break;
        case 'F': { // enable a flash chip for writing, send it a command of COUNT bytes (two bytes,
                    // low first), wait while it is busy, between markers; answers its status
            uint16_t count = get();
            count |= get() << 8;
            PORTB &= ~SELECT;
            exchange(0x06);
            PORTB |= SELECT;
            PORTB &= ~SELECT;
            while (count--)
                exchange(get());
            PORTB |= SELECT;
            GPIOR0 = 1;
            PORTB &= ~SELECT;
            exchange(0x05);
            uint8_t status;
            while ((status = exchange(0xFF)) & 1)
                ;
            PORTB |= SELECT;
            GPIOR0 = 2;
            put(status);
            break;
        }
        case 'B': { // send a block of zeros; answers the response, when the card is no more busy
            exchange(0xFE);
            for (uint16_t left = 514; left; left--)
                exchange(0x00);
            uint8_t response = exchange(0xFF);
            GPIOR0 = 1;
            while (exchange(0xFF) == 0x00)
                ;
            GPIOR0 = 2;
            put(response);
            break;
        }
        case 'R': { // FIRST, CYCLES: answers SPDR as read CYCLES after writing FIRST
            uint8_t first = get();
            put(read_after(get(), first));
            break;
        }
        case 'W': { // FIRST, SECOND, CYCLES: writes both; answers SPSR and SPDR
            uint8_t first = get(), second = get();
            write_after(get(), first, second);
            for (uint8_t wait = 20; wait; wait--)
                __asm__ volatile("nop\n nop\n");
            put(SPSR);
            put(SPDR);
            break;
        }
        case 'm': // exchange FFh between markers
            GPIOR0 = 1;
            exchange(0xFF);
            GPIOR0 = 2;
            break;
        case 'C': // write the next byte and raise chip select in the middle of it
            SPDR = get();
            PORTB |= SELECT;
            while (!(SPSR & _BV(SPIF)))
                ;
            SPDR;
            break;
        case 'i': // exchange the next byte by interrupt, asleep; answers what came
            interrupted = 0;
            SPCR |= _BV(SPIE);
            SPDR = get();
            set_sleep_mode(SLEEP_MODE_IDLE);
            sleep_enable();
            sei();
            sleep_cpu();
            cli();
            sleep_disable();
            SPCR &= ~_BV(SPIE);
            put(interrupted);
            put(SPSR);
            break;
        case 'S': // stream, between markers
            GPIOR0 = 1;
            stream();
            GPIOR0 = 2;
            put('S');
            break;
        }
    }
}
