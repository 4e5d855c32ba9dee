/* The EEPROM with the programming times of silicon. */
#ifndef ULM_EEPROM_H
#define ULM_EEPROM_H

#include <stdint.h>

enum { EEPROM_BYTES = 1024 };

void eeprom_create(void);
void eeprom_reset(void);

/* The cells themselves, EEPROM_BYTES of them. */
uint8_t *eeprom_cells(void);

#endif
