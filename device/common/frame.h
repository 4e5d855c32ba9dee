/* One frame: 7E type seq payload crc_lo crc_hi 7E, with 7D escapes (docs/protocol.md). */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"

typedef enum {
    FRAME_TEXT,     /* the byte belongs to no frame */
    FRAME_PARTIAL,  /* it was taken; the frame goes on, or was dropped */
    FRAME_COMPLETE, /* frame_in holds a sound frame */
} frame_event_t;

typedef struct {
    uint8_t type;
    uint8_t seq;
    uint8_t payload[MAX_PAYLOAD + 2]; /* and its CRC */
} frame_t;

extern frame_t frame_in;
extern uint8_t frame_in_length; /* payload bytes of a complete frame */

frame_event_t frame_receive(uint8_t byte);

/* True while a frame is open: a pause may then mean that a person typed '~'. */
bool frame_open(void);

/* Closes an open frame; returns how many raw bytes it had, which lie at &frame_in. */
uint8_t frame_abandon(void);

void frame_begin(uint8_t type, uint8_t seq);
void frame_byte(uint8_t byte);
void frame_word(uint16_t word);
void frame_bytes(const void *bytes, uint8_t count);
void frame_end(void);

#endif
