/* Reads bytes from a flash chip or a card as fast as one loop can, and marks the time.
 *
 *   -DMEDIUM_SD or -DMEDIUM_FLASH   where from
 *   -DLOOP=loop_c | loop_polled | loop_timed
 *   -DRUN=UNITS                     units of 512 bytes per read command
 *   -DSINGLE                        a card is asked for each block by itself (CMD17)
 *
 * Markers in GPIOR0: 1 before the first command, 2 behind the last byte, then the XOR of all bytes,
 * 3 where the card failed. No runtime, no interrupts. Wiring as in docs/wiring.md. */
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdbool.h>
#include <util/delay.h>

#define SELECT PB2
#define SUPPLY PB0 /* low is on */
#define BLOCK 512
#define TOTAL_UNITS 256UL
#define IDLE 0xFF
#define TOKEN 0xFE
#define ADDRESSED_BLOCKS 0x40000000UL /* ACMD41: this host knows SDHC */

static void mark(uint8_t value) { GPIOR0 = value; }

static __attribute__((noreturn)) void end(uint8_t value) {
    mark(value);
    for (;;)
        sleep_mode();
}

static uint8_t exchange(uint8_t byte) {
    SPDR = byte;
    while (!(SPSR & _BV(SPIF)))
        ;
    return SPDR;
}

static uint8_t sum;

/* What anybody writes first. */
static inline void loop_c(uint16_t count) {
    while (count--)
        sum ^= exchange(IDLE);
}

/* The two others always have a byte under way, which prime() starts. */
static inline void loop_polled(uint16_t count) {
    uint8_t byte, ones = IDLE;
    __asm__ volatile(
        "1: in %[byte], %[status]\n"
        "   sbrs %[byte], 7\n"
        "   rjmp 1b\n"
        "   in %[byte], %[data]\n"
        "   out %[data], %[ones]\n"
        "   eor %[sum], %[byte]\n"
        "   sbiw %[count], 1\n"
        "   brne 1b\n"
        : [byte] "=&r"(byte), [sum] "+r"(sum), [count] "+w"(count)
        : [ones] "r"(ones), [status] "I"(_SFR_IO_ADDR(SPSR)), [data] "I"(_SFR_IO_ADDR(SPDR)));
}

/* A byte every 18 cycles, by counting them. */
static inline void loop_timed(uint16_t count) {
    uint8_t byte, ones = IDLE;
    __asm__ volatile("1: .rept 5\n"
                     "   rjmp .+0\n" /* 2 cycles */
                     "   .endr\n"
                     "   nop\n"
                     "   in %[byte], %[data]\n"
                     "   out %[data], %[ones]\n"
                     "   eor %[sum], %[byte]\n"
                     "   sbiw %[count], 1\n"
                     "   brne 1b\n"
                     : [byte] "=&r"(byte), [sum] "+r"(sum), [count] "+w"(count)
                     : [ones] "r"(ones), [data] "I"(_SFR_IO_ADDR(SPDR)));
}

#define PRIMED (LOOP != loop_c)

static void prime(void) {
    if (PRIMED) {
        SPDR = IDLE;
        _delay_us(1);
    }
}

/* Behind a loop: the byte under way is over. */
static void settle(void) {
    if (PRIMED) {
        _delay_us(2);
        (void)SPSR; /* clears SPIF together with the next access to SPDR */
    }
}

#ifdef MEDIUM_FLASH

#define READ 0x03
#define ADDRESS_BYTES 3

static void begin(void) { _delay_us(100); }

static void read_run(uint32_t unit) {
    uint32_t address = unit * BLOCK;
    PORTB &= (uint8_t)~_BV(SELECT);
    exchange(READ);
    for (uint8_t byte = ADDRESS_BYTES; byte--;)
        exchange((uint8_t)(address >> 8 * byte));
    prime();
    for (uint16_t left = RUN; left; left--)
        LOOP(BLOCK);
    settle();
    PORTB |= _BV(SELECT);
}

#else

static uint8_t command(uint8_t number, uint32_t argument, uint8_t crc) {
    exchange(IDLE);
    exchange(0x40 | number);
    for (uint8_t byte = 4; byte--;)
        exchange((uint8_t)(argument >> 8 * byte));
    exchange(crc);
    uint8_t answer = IDLE;
    if (number == 12)
        exchange(IDLE); /* a stuff byte */
    for (uint8_t tries = 10; tries-- && answer & 0x80;)
        answer = exchange(IDLE);
    return answer;
}

static void begin(void) {
    _delay_ms(2);
    SPCR |= _BV(SPR1); /* a quarter of a megahertz */
    SPSR = 0;
    for (uint8_t clocks = 10; clocks--;)
        exchange(IDLE);
    PORTB &= (uint8_t)~_BV(SELECT);
    if (command(0, 0, 0x95) != 1 || command(8, 0x1AA, 0x87) != 1)
        end(3);
    for (uint8_t byte = 4; byte--;)
        exchange(IDLE);
    uint16_t tries = 10000;
    do {
        command(55, 0, IDLE);
        if (!tries--)
            end(3);
    } while (command(41, ADDRESSED_BLOCKS, IDLE));
    SPCR &= (uint8_t)~_BV(SPR1);
    SPSR = _BV(SPI2X);
}

static void read_block(void) {
    uint32_t tries = 1000000;
    while (exchange(IDLE) != TOKEN)
        if (!tries--)
            end(3);
    prime();
    LOOP(BLOCK);
    settle();
    exchange(IDLE); /* the CRC; its first byte may be under way already */
    if (!PRIMED)
        exchange(IDLE);
}

static void read_run(uint32_t unit) {
#ifdef SINGLE
    for (uint16_t left = RUN; left; left--) {
        if (command(17, unit++, IDLE))
            end(3);
        read_block();
    }
#else
    if (command(18, unit, IDLE))
        end(3);
    for (uint16_t left = RUN; left; left--)
        read_block();
    command(12, 0, IDLE);
    while (exchange(IDLE) != IDLE)
        ;
#endif
}

#endif

int main(void) {
    DDRB = _BV(SELECT) | _BV(SUPPLY) | _BV(PB3) | _BV(PB5);
    PORTB = _BV(SELECT);
    SPCR = _BV(SPE) | _BV(MSTR);
    SPSR = _BV(SPI2X);
    begin();
    mark(1);
    for (uint32_t unit = 0; unit < TOTAL_UNITS; unit += RUN)
        read_run(unit);
    mark(2);
    end(sum);
}
