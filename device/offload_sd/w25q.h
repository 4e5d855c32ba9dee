/* Writing to the flash chip. */
#ifndef W25Q_H
#define W25Q_H

#include <stdbool.h>
#include <stdint.h>

/* Erases the 4 KB, or 64 KB, at an address. */
void w25q_erase(uint32_t address, bool large);

/* Programs bytes anywhere: bits only fall. */
void w25q_program(uint32_t address, const uint8_t *bytes, uint8_t count);

#endif
