/* An SD or SDHC card in SPI mode: reads of many blocks, writes of one. */
#include "sd.h"

#include "crc.h"
#include "fat.h"
#include "medium.h"
#include "port.h"
#include "spec.h"
#include "spi.h"
#include "stream.h"
#include "wait.h"

#define GO_IDLE 0
#define IF_CONDITION 8
#define SEND_CID 10
#define STOP 12
#define SEND_STATE 13
#define BLOCK_LENGTH 16
#define READ_MANY 18
#define WRITE_ONE 24
#define OP_CONDITION 41 /* behind APPLICATION */
#define APPLICATION 55
#define READ_OCR 58

#define R1_IDLE 0x01
#define R1_ILLEGAL 0x04
#define NO_ANSWER 0xFF
#define ANSWER_BYTES 10 /* within which R1 comes */

#define VOLTAGE 0x1AAUL            /* 2.7 to 3.6 V, and a pattern that comes back */
#define HIGH_CAPACITY 0x40000000UL /* in OP_CONDITION and in the OCR */

#define TOKEN 0xFE
#define ACCEPTED 0x05
#define ACCEPTED_MASK 0x1F
#define STATE_PROTECTED 0x22 /* in SEND_STATE's second byte */

#define POWER_UP_MS 3
#define WAKE_BYTES 10 /* 74 clocks */
#define WAKE_TRIES 10
#define INITIALISE_MS 1000
#define READ_MS 300
#define WRITE_MS 600

#define POLL_BLOCKS 4 /* between two looks at the host */
#define AHEAD 1       /* blocks: read past sooner than a new command is answered */

uint32_t stream_base;
uint16_t stream_left;
static uint32_t next; /* block behind the one that is read */
static bool reading;
static bool awake;
static bool by_block; /* addresses are blocks, not bytes */

static uint8_t get(void) { return spi_exchange(SPI_IDLE); }

/* Waits until the card lets go of the line; whether it did. */
static bool await_ready(uint16_t ms) {
    uint32_t start = port_cycles();
    while (get() != SPI_IDLE) {
        if (late(start, ms))
            return false;
        stream_poll_writing();
    }
    return true;
}

/* Sends a command; its R1, or NO_ANSWER. The card stays selected. */
static uint8_t command(uint8_t number, uint32_t argument) {
    spi_deselect();
    get();
    spi_select();
    if (number != GO_IDLE && number != STOP && !await_ready(WRITE_MS))
        stream_fail(FAULT_CARD_SILENT);
    spi_exchange(0x40 | number);
    for (uint8_t shift = 32; shift;)
        spi_exchange((uint8_t)(argument >> (shift -= 8)));
    /* The CRC counts in these two only. */
    spi_exchange(number == GO_IDLE ? 0x95 : number == IF_CONDITION ? 0x87 : 0x01);
    if (number == STOP)
        get();
    uint8_t answer = NO_ANSWER;
    for (uint8_t tries = ANSWER_BYTES; tries && answer & 0x80; tries--)
        answer = get();
    return answer;
}

static uint32_t address(uint32_t block) { return by_block ? block : block * BLOCK; }

/* The data begins; the next byte is its first. */
static void await_token(void) {
    uint32_t start = 0;
    uint8_t byte, tries = 0;
    while ((byte = get()) == SPI_IDLE)
        if (--tries == 0) { /* a quick card does not pay for a look at the clock */
            if (!start)
                start = port_cycles() | 1;
            if (late(start, READ_MS))
                stream_fail(FAULT_CARD_SILENT);
            stream_poll();
        }
    if (byte != TOKEN)
        stream_fail(FAULT_READ);
}

static void begin_block(void) {
    await_token();
    next++;
    stream_left = BLOCK;
    SPDR = SPI_IDLE;
    spi_settle();
}

static void clock_past(uint16_t count) {
    stream_left -= count;
    if (count)
        __asm__ volatile("1: out %[data], %[idle]\n" /* 18 cycles from one to the next */
                         "ldi r18, 4\n"
                         "2: dec r18\n"
                         "brne 2b\n"
                         "nop\n"
                         "sbiw %[count], 1\n"
                         "brne 1b\n"
                         : [count] "+w"(count)
                         : [data] "I"(_SFR_IO_ADDR(SPDR)), [idle] "r"((uint8_t)SPI_IDLE)
                         : "r18");
    spi_settle();
}

void stream_block(void) {
    spi_settle();
    get(); /* the first byte of the CRC came already */
    if (next % POLL_BLOCKS == 0)
        stream_poll();
    begin_block();
}

void stream_seek(uint32_t position) {
    uint32_t block = stream_base + position / BLOCK;
    uint16_t offset = position % BLOCK;
    spi_settle();
    if (reading && block + 1 == next && offset >= BLOCK - stream_left) {
        clock_past(offset - (BLOCK - stream_left));
        return;
    }
    if (reading && block >= next && block - next < AHEAD) {
        while (block + 1 != next) {
            clock_past(stream_left);
            stream_block();
        }
    } else {
        stream_end();
        uint8_t answer = command(READ_MANY, address(block));
        if (answer)
            stream_fail(answer == NO_ANSWER ? FAULT_CARD_SILENT : FAULT_READ);
        reading = true;
        next = block;
        begin_block();
    }
    clock_past(offset);
}

void stream_skip(uint16_t count) {
    if (count > stream_left)
        stream_seek(stream_position() + count);
    else
        clock_past(count);
}

uint32_t stream_position(void) { return (next - stream_base) * BLOCK - stream_left; }

void stream_end(void) {
    spi_settle();
    stream_left = 0;
    if (reading) {
        reading = false;
        command(STOP, 0);
        await_ready(READ_MS);
    }
    spi_deselect();
}

void sd_write(uint32_t block, const uint8_t *bytes) {
    stream_end();
    uint8_t answer = command(WRITE_ONE, address(block));
    if (answer)
        stream_fail(answer == NO_ANSWER ? FAULT_CARD_SILENT : FAULT_WRITE);
    get();
    spi_exchange(TOKEN);
    for (uint16_t left = BLOCK; left; left--)
        spi_exchange(*bytes++);
    get(); /* a CRC that nobody checks */
    get();
    if ((get() & ACCEPTED_MASK) != ACCEPTED || !await_ready(WRITE_MS) || command(SEND_STATE, 0))
        stream_fail(FAULT_WRITE);
    uint8_t state = get();
    spi_deselect();
    if (state)
        stream_fail(state & STATE_PROTECTED ? FAULT_PROTECTED : FAULT_WRITE);
}

/* Asks in the slow clock whether a card is there, and brings it into SPI mode. */
static void go_idle(void) {
    for (uint8_t tries = WAKE_TRIES;; tries--) {
        spi_deselect();
        for (uint8_t bytes = WAKE_BYTES; bytes; bytes--)
            get();
        uint8_t answer = command(GO_IDLE, 0);
        if (answer == R1_IDLE)
            return;
        if (!tries)
            stream_fail(answer == NO_ANSWER ? FAULT_NO_CARD : FAULT_CARD_SILENT);
        command(STOP, 0); /* it may have been reading when the board was reset */
    }
}

static void initialise(void) {
    go_idle();
    uint32_t capacity = 0;
    if (!(command(IF_CONDITION, VOLTAGE) & R1_ILLEGAL)) {
        capacity = HIGH_CAPACITY;
        get();
        get();
        if ((get() & 0x0F) != VOLTAGE >> 8 || get() != (uint8_t)VOLTAGE)
            stream_fail(FAULT_CARD_SILENT);
    }
    uint32_t start = port_cycles();
    do {
        if (late(start, INITIALISE_MS))
            stream_fail(FAULT_CARD_SILENT);
        command(APPLICATION, 0);
    } while (command(OP_CONDITION, capacity));
    by_block = capacity && command(READ_OCR, 0) == 0 && get() & HIGH_CAPACITY >> 24;
    spi_clock(true);
    if (!by_block && command(BLOCK_LENGTH, BLOCK))
        stream_fail(FAULT_CARD_SILENT);
}

/* The CRC of its identification. */
static uint16_t identify(void) {
    if (command(SEND_CID, 0))
        stream_fail(FAULT_CARD_SILENT);
    await_token();
    uint16_t crc = CRC_START;
    for (uint8_t left = 18; left; left--) /* with a CRC of its own */
        crc = crc_update(crc, get());
    spi_deselect();
    return crc;
}

bool medium_wake(void) {
    if (awake) {
        stream_end();
        if (command(SEND_STATE, 0) == 0 && get() == 0)
            return false;
    }
    awake = reading = false;
    spi_on();
    spi_clock(false);
    SPI_WAIT_US(1000UL * POWER_UP_MS);
    initialise();
    medium_id = identify();
    awake = true;
    return true;
}

uint8_t medium_fault(void) {
    stream_end();
    return command(SEND_STATE, 0) == NO_ANSWER ? FAULT_CARD_SILENT : FAULT_READ;
}

void medium_mount(void) { fat_mount(); }

void medium_sleep(void) {
    awake = reading = false;
    spi_off();
}
