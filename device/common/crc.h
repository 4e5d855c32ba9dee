/* CRC-16/X-25, a byte at a time: start from CRC_START, invert at the end.
 * A frame with its CRC appended leaves CRC_GOOD. Check value: 906Eh over "123456789". */
#ifndef CRC_H
#define CRC_H

#include <stdint.h>

#define CRC_START 0xFFFF
#define CRC_GOOD 0xF0B8

#ifdef __AVR__
#include <util/crc16.h>
#define crc_update _crc_ccitt_update
#else
static inline uint16_t crc_update(uint16_t crc, uint8_t byte) {
    crc ^= byte;
    for (uint8_t bit = 0; bit < 8; bit++)
        crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0x8408 : 0));
    return crc;
}
#endif

#endif
