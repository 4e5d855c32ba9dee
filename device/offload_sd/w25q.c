/* A SPI flash chip of the W25Q kind, up to 16 MB. Its two halves are the slots. */
#include "w25q.h"

#include "image.h"
#include "medium.h"
#include "port.h"
#include "spec.h"
#include "spi.h"
#include "stream.h"
#include "wait.h"

#define READ 0x03
#define PROGRAM 0x02
#define WRITE_ENABLE 0x06
#define READ_STATE 0x05
#define ERASE_4K 0x20
#define ERASE_64K 0xD8
#define JEDEC_ID 0x9F
#define POWER_DOWN 0xB9
#define RELEASE 0xAB

#define STATE_BUSY 0x01
#define STATE_LATCH 0x02

#define CAPACITY_MIN 0x10 /* code n: 2^n bytes, here 64 KB */
#define CAPACITY_MAX 0x18 /* 16 MB: more takes four bytes of address */

#define STRIDE 4096 /* bytes between two looks at the host */
#define NEAR 4      /* bytes; clocked past sooner than a new command goes out */

#define POWER_UP_MS 1
#define RELEASE_US 30
#define LATCH_MS 20 /* after power-up the chip refuses writes for 10 */
#define PROGRAM_MS 10
#define ERASE_MS 4000

typedef __uint24 address_t;

uint32_t stream_base;
uint16_t stream_left;
address_t w25q_limit; /* address behind the bytes that are left */
static bool awake;

/* Sends a byte at the full clock; none is in flight afterwards. */
static inline void put(uint8_t byte) {
    SPDR = byte;
    __builtin_avr_delay_cycles(17);
}

static void command(uint8_t code, address_t address) {
    spi_deselect();
    spi_select();
    put(code);
    put((uint8_t)(address >> 16));
    put((uint8_t)(address >> 8));
    put((uint8_t)address);
}

static void command_alone(uint8_t code) {
    spi_deselect();
    spi_select();
    put(code);
    spi_deselect();
}

static inline address_t base(void) { return (address_t)(uint16_t)(stream_base * 2) << 8; }

void stream_seek(uint32_t position) {
    address_t address = base() + (address_t)position;
    address_t ahead =
        address - (w25q_limit - stream_left); /* what is in flight arrives meanwhile */
    if (stream_left && ahead <= NEAR && ahead < stream_left) {
        for (uint8_t n = (uint8_t)ahead; n; n--)
            put(SPI_IDLE);
        stream_left -= (uint16_t)ahead;
        return;
    }
    command(READ, address);
    put(SPI_IDLE);
    w25q_limit = address + STRIDE;
    stream_left = STRIDE;
}

void stream_block(void) {
    if (stream_position() >= image.length) /* a chip that fell silent has no end of texts */
        stream_fail(FAULT_READ);
    stream_left = STRIDE;
    w25q_limit += STRIDE;
    stream_poll();
}

void stream_skip(uint16_t count) { stream_seek(stream_position() + count); }

uint32_t stream_position(void) { return (address_t)(w25q_limit - stream_left - base()); }

void stream_end(void) {
    spi_settle();
    spi_deselect();
    stream_left = 0;
}

static uint8_t read_state(void) {
    spi_deselect();
    spi_select();
    put(READ_STATE);
    put(SPI_IDLE);
    spi_deselect();
    return SPDR;
}

/* Waits until the chip has done what it was told. */
static void await(uint16_t ms) {
    uint32_t start = port_cycles();
    while (read_state() & STATE_BUSY) {
        if (late(start, ms))
            stream_fail(FAULT_PROTECTED);
        stream_poll_writing();
    }
}

static void enable_writing(void) {
    uint32_t start = port_cycles();
    do {
        if (late(start, LATCH_MS))
            stream_fail(FAULT_PROTECTED);
        command_alone(WRITE_ENABLE);
    } while (!(read_state() & STATE_LATCH));
}

void w25q_erase(uint32_t address, bool large) {
    enable_writing();
    command(large ? ERASE_64K : ERASE_4K, (address_t)address);
    spi_deselect();
    await(ERASE_MS);
}

void w25q_program(uint32_t address, const uint8_t *bytes, uint8_t count) {
    while (count) {
        uint8_t page = (uint8_t) - (uint8_t)address; /* bytes to its end; 0: 256 */
        uint8_t part = page && page < count ? page : count;
        enable_writing();
        command(PROGRAM, (address_t)address);
        address += part;
        count -= part;
        for (; part; part--)
            put(*bytes++);
        spi_deselect();
        await(PROGRAM_MS);
    }
}

bool medium_wake(void) {
    if (awake)
        return false;
    spi_on();
    spi_clock(true);
    SPI_WAIT_US(1000UL * POWER_UP_MS);
    command_alone(RELEASE);
    SPI_WAIT_US(RELEASE_US);
    spi_select();
    put(JEDEC_ID);
    put(SPI_IDLE);
    uint8_t maker = SPDR;
    put(SPI_IDLE);
    uint8_t type = SPDR;
    put(SPI_IDLE);
    uint8_t capacity = SPDR;
    spi_deselect();
    if (maker == type && type == capacity && (maker == 0 || maker == SPI_IDLE))
        stream_fail(FAULT_NO_CHIP);
    if (capacity < CAPACITY_MIN || capacity > CAPACITY_MAX)
        stream_fail(FAULT_CHIP_UNKNOWN);
    medium_id = (uint16_t)(type << 8 | capacity);
    awake = true;
    return true;
}

uint8_t medium_fault(void) {
    spi_settle();
    return read_state() == SPI_IDLE ? FAULT_NO_CHIP : FAULT_READ;
}

void medium_mount(void) {
    uint32_t half = (1UL << (uint8_t)medium_id) / 2 / 512;
    slots[0].block = 0;
    slots[1].block = half;
    slots[0].blocks = slots[1].blocks = half;
    slot_count = SLOTS;
}

void medium_sleep(void) {
    if (awake) {
        spi_settle();
        command_alone(POWER_DOWN);
    }
    awake = false;
    spi_off();
}
