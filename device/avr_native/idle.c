/* Sleeping with all clocks on but the CPU's. */
#include "idle.h"

#include <avr/interrupt.h>
#include <avr/sleep.h>

void idle_until_interrupt(void) {
    sleep_enable();
    sei(); /* takes effect after the next instruction */
    sleep_cpu();
    sleep_disable();
}
