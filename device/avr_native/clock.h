/* Timer 1 counts CPU cycles; its overflow, every 65,536 of them, counts time and blinks. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void clock_begin(void);

/* No interrupts of the clock while the CPU is meant to sleep through. */
void clock_pause(bool on);

/* From now on the LED changes about four times a second, or no more. */
void clock_blink(bool on);

#endif
