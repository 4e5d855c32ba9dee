/* Frames in and out of the serial line. Not what they mean: that is service.c. */
#include "frame.h"

#include "crc.h"
#include "near.h"
#include "port.h"

#define HEAD 2 /* type and seq */
#define TAIL 2 /* CRC */

frame_t frame_in;
uint8_t frame_in_length;

/* The frame that is coming in. */
typedef struct {
    bool open;
    bool escaped;
    uint8_t high; /* 80h when the next byte has bit 7 set */
    uint8_t received;
    uint16_t crc;
} receiver_t;

static receiver_t receiver;
static uint16_t crc_out;

frame_event_t frame_receive(uint8_t byte) {
    receiver_t *in = &receiver;
    NEAR(in);
    if (byte == FRAME_FLAG) {
        bool sound = in->open && in->received >= HEAD + TAIL && in->crc == CRC_GOOD;
        in->open = !sound; /* a flag that ends no sound frame begins one */
        in->escaped = false;
        in->high = 0;
        in->received = 0;
        in->crc = CRC_START;
        return sound ? FRAME_COMPLETE : FRAME_PARTIAL;
    }
    if (!in->open)
        return FRAME_TEXT;
    if (byte == FRAME_ESCAPE) {
        in->escaped = true;
        return FRAME_PARTIAL;
    }
    if (byte == FRAME_HIGH) {
        in->high = 0x80;
        return FRAME_PARTIAL;
    }
    if (in->escaped)
        byte ^= FRAME_XOR;
    byte |= in->high;
    in->escaped = false;
    in->high = 0;
    if (in->received == sizeof frame_in) {
        in->open = false; /* no frame is so long: noise */
        return FRAME_PARTIAL;
    }
    ((uint8_t *)&frame_in)[in->received++] = byte;
    in->crc = crc_update(in->crc, byte);
    frame_in_length = in->received - HEAD - TAIL;
    return FRAME_PARTIAL;
}

bool frame_open(void) { return receiver.open; }

uint8_t frame_abandon(void) {
    receiver.open = false;
    return receiver.received;
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
