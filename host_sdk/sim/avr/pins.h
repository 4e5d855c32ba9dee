/* The board's pins by their Arduino names: levels in and out, analog inputs, and a log of changes.
 */
#ifndef ULM_PINS_H
#define ULM_PINS_H

#include "events.h"

#include <stdbool.h>
#include <stdint.h>

enum pin_state { PIN_LOW = 0, PIN_HIGH = 1, PIN_INPUT = 2 };

extern struct events pins_changes; /* what = pin number * 4 + the state that firmware gave it */

/* Calls `changed` whenever firmware, or a reset, gives a pin a new state. */
void pins_on_change(void (*changed)(int pin, enum pin_state state));

void pins_create(void);
void pins_reset(void);

/* 0 to 13 for D0 to D13, 14 to 19 for A0 to A5; -1 when there is no such pin. */
int pin_number(const char *name);

/* The outside world drives a pin, or lets it go. */
void pin_drive(int pin, bool high);
void pin_release(int pin);

/* What firmware makes of the pin, and the level that reading it gives. */
enum pin_state pin_state(int pin);
bool pin_level(int pin);

/* Millivolts at an analog input ("A0" to "A5"), the temperature sensor ("temp") or the supply
 * ("vcc"). */
bool analog_set(const char *name, uint32_t millivolts);

#endif
