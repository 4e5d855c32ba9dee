/* The two checks of SD cards: CRC-7 of commands, CRC-16/XMODEM of data. */
#ifndef ULM_SDCRC_H
#define ULM_SDCRC_H

#include <stddef.h>
#include <stdint.h>

/* As the last byte of a command or register carries it: shifted, with the end bit. */
uint8_t sdcrc_command(const uint8_t *bytes, size_t count);
uint16_t sdcrc_data(const uint8_t *bytes, size_t count);

#endif
