/* The first byte of an image is its valid mark: cleared before all others are written, and set when
 * the image has proved sound. */
#include "upload.h"

#include "image.h"
#include "tape.h"

#define CLEARED 0xFF

static uint16_t length; /* due */
static uint16_t stored; /* bytes that have come */

uint8_t upload_begin(const uint8_t *payload, uint8_t count) {
    const struct __attribute__((packed)) {
        uint8_t slot;
        uint16_t length, length_high;
        uint32_t crc; /* the image has a check of its own */
    } *begin = (const void *)payload;
    if (count < sizeof *begin)
        return STATUS_BAD_LENGTH;
    if (begin->slot != SLOT_EEPROM)
        return STATUS_UNSUPPORTED;
    if (begin->length_high || begin->length > STORE_BYTES)
        return STATUS_TOO_LARGE;
    length = begin->length;
    stored = 0;
    store_write(0, CLEARED);
    return STATUS_OK;
}

uint8_t upload_data(const uint8_t *payload, uint8_t count) {
    const struct __attribute__((packed)) {
        uint16_t offset, offset_high;
        uint8_t bytes[];
    } *data = (const void *)payload;
    if (count < sizeof *data)
        return STATUS_BAD_LENGTH;
    count -= sizeof *data;
    uint16_t at = data->offset;
    uint16_t end = at + count;
    if (end == stored)
        return STATUS_OK;
    if (at != stored || end > length)
        return STATUS_BAD_ORDER;
    stored = end;
    for (const uint8_t *byte = data->bytes; at != end; at++, byte++)
        if (at)
            store_write(at, *byte);
    return STATUS_OK;
}

uint8_t upload_commit(void) {
    if (!length || stored != length)
        return STATUS_BAD_ORDER;
    store_open = true;
    uint8_t status = image_open(IMAGE_MAGIC | CLEARED);
    if (status != STATUS_OK)
        return status == STATUS_BAD_ABI ? status : STATUS_BAD_CRC;
    if (image.form != FORM_BITS)
        return STATUS_BAD_ABI;
    store_write(0, (uint8_t)IMAGE_MAGIC);
    return STATUS_OK;
}
