/* Frames in and out of the serial line. Not what they mean: that is service.c. */
#include "frame.h"

#include "crc.h"
#include "port.h"

#define HEAD 2 /* type and seq */
#define TAIL 2 /* CRC */

frame_t frame_in;
uint8_t frame_in_length;

static bool open;
static bool escaped;
static uint8_t high; /* 80h when the next byte has bit 7 set */
static uint8_t received;
static uint16_t crc_in;
static uint16_t crc_out;

static void start(void) {
    open = true;
    escaped = false;
    high = 0;
    received = 0;
    crc_in = CRC_START;
}

frame_event_t frame_receive(uint8_t byte) {
    if (byte == FRAME_FLAG) {
        bool sound = open && received >= HEAD + TAIL && crc_in == CRC_GOOD;
        start(); /* a flag that ends no sound frame begins one */
        if (!sound)
            return FRAME_PARTIAL;
        open = false;
        return FRAME_COMPLETE;
    }
    if (!open)
        return FRAME_TEXT;
    if (byte == FRAME_ESCAPE) {
        escaped = true;
        return FRAME_PARTIAL;
    }
    if (byte == FRAME_HIGH) {
        high = 0x80;
        return FRAME_PARTIAL;
    }
    if (escaped)
        byte ^= FRAME_XOR;
    byte |= high;
    escaped = false;
    high = 0;
    if (received == sizeof frame_in) {
        open = false; /* no frame is so long: noise */
        return FRAME_PARTIAL;
    }
    ((uint8_t *)&frame_in)[received++] = byte;
    crc_in = crc_update(crc_in, byte);
    frame_in_length = received - HEAD - TAIL;
    return FRAME_PARTIAL;
}

bool frame_open(void) { return open; }

uint8_t frame_abandon(void) {
    open = false;
    return received;
}

static void put_escaped(uint8_t byte) {
    if (byte < 0x20 || (byte >= FRAME_HIGH && byte <= 0x7F)) {
        port_send(FRAME_ESCAPE);
        byte ^= FRAME_XOR;
    }
    port_send(byte);
}

void frame_begin(uint8_t type, uint8_t seq) {
    port_send(FRAME_FLAG);
    crc_out = CRC_START;
    frame_byte(type);
    frame_byte(seq);
}

void frame_byte(uint8_t byte) {
    crc_out = crc_update(crc_out, byte);
    put_escaped(byte);
}

void frame_word(uint16_t word) {
    frame_byte((uint8_t)word);
    frame_byte((uint8_t)(word >> 8));
}

void frame_bytes(const void *bytes, uint8_t count) {
    for (const uint8_t *byte = bytes; count--;)
        frame_byte(*byte++);
}

void frame_end(void) {
    uint16_t crc = ~crc_out;
    put_escaped((uint8_t)crc);
    put_escaped((uint8_t)(crc >> 8));
    port_send(FRAME_FLAG);
}
