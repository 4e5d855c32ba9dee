/* The two checks of SD cards: CRC-7 of commands, CRC-16/XMODEM of data. */
#include "sdcrc.h"

enum { POLYNOMIAL_7 = 0x09, POLYNOMIAL_16 = 0x1021 };

uint8_t sdcrc_command(const uint8_t *bytes, size_t count) {
    uint8_t crc = 0; /* in the upper seven bits */
    while (count--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80 ? crc << 1 ^ POLYNOMIAL_7 << 1 : crc << 1;
    }
    return crc | 1;
}

static void fill(uint16_t *table) {
    for (int value = 0; value < 256; value++) {
        uint16_t crc = value << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ POLYNOMIAL_16 : crc << 1;
        table[value] = crc;
    }
}

uint16_t sdcrc_data(const uint8_t *bytes, size_t count) {
    static uint16_t table[256];
    if (!table[1])
        fill(table);
    uint16_t crc = 0;
    while (count--)
        crc = crc << 8 ^ table[crc >> 8 ^ *bytes++];
    return crc;
}
