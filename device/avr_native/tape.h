/* The tape in program flash: a position is an address, reading is LPM. In a sketch there is no
 * store. */
#ifndef TAPE_H
#define TAPE_H

#include <avr/pgmspace.h>
#include <stdint.h>

#include "spec.h"

typedef uint16_t tape_t;

/* The position `offset` bytes into the image. */
static inline tape_t tape_at(uint16_t offset) { return MODEL_ADDRESS + offset; }

static inline tape_t tape_skip(tape_t tape, uint16_t bytes) { return tape + bytes; }

static inline uint8_t tape_next(tape_t *tape) {
    uint8_t byte;
    /* avr-libc has no reading with post-increment. */
    __asm__("lpm %0, Z+" : "=r"(byte), "+z"(*tape));
    return byte;
}

static inline uint16_t tape_word(tape_t *tape) {
    uint8_t low = tape_next(tape);
    return (uint16_t)(tape_next(tape) << 8 | low);
}

#ifdef TAPE_STORE
#include "store.h"
#else
/* One byte of the image, slower. */
static inline uint8_t tape_read(uint16_t offset) { return pgm_read_byte(MODEL_ADDRESS + offset); }
#endif

/* Constant text that the port keeps beside its code: where it lies, and one byte of it. */
#define TAPE_TEXT PROGMEM

static inline uint8_t tape_text(const char *text) { return pgm_read_byte(text); }

#endif
