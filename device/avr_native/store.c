/* The EEPROM. */
#include "store.h"

#include <avr/eeprom.h>

#include "tape.h"

bool store_open;

uint8_t tape_read(uint16_t offset) {
    if (store_open)
        return eeprom_read_byte((const uint8_t *)offset);
    return pgm_read_byte(MODEL_ADDRESS + offset);
}

void store_write(uint16_t offset, uint8_t byte) { eeprom_update_byte((uint8_t *)offset, byte); }
