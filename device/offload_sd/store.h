/* Where an upload is kept until it is complete: the slot that does not answer. What store_w25q.c
 * and store_sd.c give; all leave through stream_exit when they fail. */
#ifndef STORE_H
#define STORE_H

#include <stdint.h>

#include "medium.h"

/* What tells one upload from another. */
typedef struct {
    uint32_t length;
    uint32_t crc; /* CRC-32 as BEGIN has it */
} upload_id_t;

/* Bytes that an image may have in a slot. */
uint32_t store_capacity(const slot_t *slot);

/* How much of this upload is there since before a reset; 0 when there is nothing, or another. */
uint32_t store_resume(const slot_t *slot, const upload_id_t *id);

/* Forgets what is in the slot and makes room. */
void store_clear(const slot_t *slot, const upload_id_t *id);

/* Takes the next bytes, at `position` of the image. A block of 512 bytes may come again. */
void store_write(const slot_t *slot, uint32_t position, const uint8_t *bytes, uint8_t count);

/* Makes the image valid: sequence, then mark. */
void store_commit(const slot_t *slot, uint32_t sequence);

#endif
