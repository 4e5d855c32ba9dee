/* Sleeping: until the next byte, or with the clock stopped. */
#include "rest.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#include "clock.h"
#include "idle.h"
#include "uart.h"

/* The start bit of a byte on the receive pin wakes the chip; there is nothing else to do. */
EMPTY_INTERRUPT(PCINT2_vect)

void rest_power_down(void) {
    uart_flush();
    PCMSK2 = _BV(PCINT16);
    PCIFR = _BV(PCIF2);
    PCICR = _BV(PCIE2);
    clock_pause(true);
    set_sleep_mode(SLEEP_MODE_PWR_DOWN);
    cli();
    sleep_enable();
    sleep_bod_disable();
    sei();
    sleep_cpu();
    sleep_disable();
    set_sleep_mode(SLEEP_MODE_IDLE);
    clock_pause(false);
    PCICR = 0;
}

void rest_idle(void) {
    cli();
    if (!uart_has_received())
        idle_until_interrupt();
    sei();
}
