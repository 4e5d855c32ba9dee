/* What is to happen when so many more bytes have gone over SPI: a moment that does not depend on
 * the host's speed. */
#ifndef ULM_ALARM_H
#define ULM_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/* "remove": the part's file is taken away. "reset": its supply goes and the chip is reset. False
 * when there is no such action. 0 bytes: never. */
bool alarm_set(uint64_t bytes, const char *action);

/* A byte begins. */
void alarm_ring(void);

/* True once when the chip is to be reset. */
bool alarm_wants_reset(void);

#endif
