/* Writing to the card. */
#ifndef SD_H
#define SD_H

#include <stdint.h>

#define BLOCK 512

/* Writes one block and waits until the card has it. */
void sd_write(uint32_t block, const uint8_t *bytes);

#endif
