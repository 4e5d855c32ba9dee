/* The model image, apart from its tape. */
#include "image.h"

#include <stddef.h>

#include "crc.h"
#include "tape.h"

_Static_assert(sizeof(image_t) == IMAGE_HEADER_BYTES, "header");
_Static_assert(offsetof(image_t, second) == AT_SECOND, "header");
_Static_assert(offsetof(image_t, charset) == AT_CHARSET, "header");
_Static_assert(offsetof(image_t, query_mask) == AT_QUERY_MASK, "header");

image_t image;

static uint16_t position;

void image_seek(uint16_t offset) { position = offset; }

uint8_t image_next(void) { return tape_read(position++); }

uint8_t image_open(uint16_t magic) {
    image_seek(0);
    for (uint8_t at = 0; at < sizeof image; at++)
        ((uint8_t *)&image)[at] = image_next();
    if (image.magic != magic)
        return STATUS_NO_MODEL;
    if (image.abi != IMAGE_ABI)
        return STATUS_BAD_ABI;
    image_seek(IMAGE_CHECK_FROM);
    uint16_t crc = CRC_START;
    for (uint16_t left = image.length - IMAGE_CHECK_FROM; left; left--)
        crc = crc_update(crc, image_next());
    return (uint16_t)~crc == image.check ? STATUS_OK : STATUS_BAD_MODEL;
}
