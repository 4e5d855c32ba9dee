/* The board's memories on disk: flash.bin and eeprom.bin in its state folder. */
#ifndef ULM_STORE_H
#define ULM_STORE_H

#include <stdbool.h>

/* Loads both files into the chip; a missing eeprom.bin is an erased EEPROM. False when one is
 * damaged. */
bool store_load(const char *folder);

/* Something was programmed: save soon. */
void store_touch(void);

/* Saves once a burst of programming has been over for a while. */
void store_tick(void);

/* Saves now, if anything was programmed since the last time. */
void store_save(void);

#endif
