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

uint8_t image_open(void) {
    tape_t tape = tape_at(0);
    for (uint8_t at = 0; at < sizeof image; at++)
        ((uint8_t *)&image)[at] = tape_next(&tape);
    if (image.magic != IMAGE_MAGIC)
        return STATUS_NO_MODEL;
    if (image.abi != IMAGE_ABI)
        return STATUS_BAD_ABI;
    tape = tape_at(IMAGE_CHECK_FROM);
    uint16_t crc = CRC_START;
    for (uint16_t left = image.length - IMAGE_CHECK_FROM; left; left--)
        crc = crc_update(crc, tape_next(&tape));
    return (uint16_t)~crc == image.check ? STATUS_OK : STATUS_BAD_MODEL;
}

uint8_t image_byte(uint16_t offset) {
    tape_t tape = tape_at(offset);
    return tape_next(&tape);
}

uint16_t image_word(uint16_t offset) {
    tape_t tape = tape_at(offset);
    return tape_word(&tape);
}
