/* Constant text beside the code. Weights do not come through here: stream.h. */
#ifndef TAPE_H
#define TAPE_H

#include <avr/pgmspace.h>
#include <stdint.h>

#define TAPE_TEXT PROGMEM

static inline uint8_t tape_text(const char *text) { return pgm_read_byte(text); }

#endif
