/* The EEPROM: a second memory for a model, that is written while the board runs. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#define STORE_BYTES 1024

/* Whether the open image is the one in the store. */
extern bool store_open;

/* One byte of the open image, from flash or the store. */
uint8_t tape_read(uint16_t offset);

/* Writes one byte of the store: 3.4 ms where it changes. */
void store_write(uint16_t offset, uint8_t byte);

#endif
