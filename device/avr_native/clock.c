/* Cycle counter and uptime. */
#include "clock.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/power.h>
#include <util/atomic.h>

#include "board.h"
#include "port.h"

#define BLINK_OVERFLOWS (F_CPU / 65536 / 4)

static volatile uint32_t overflows;
static volatile bool blinking;
static uint8_t until_blink;

void clock_begin(void) {
    power_timer1_enable();
    TCCR1A = 0;
    TCCR1B = _BV(CS10); /* every cycle */
    TIMSK1 = _BV(TOIE1);
}

void clock_pause(bool on) { TIMSK1 = on ? 0 : _BV(TOIE1); }

ISR(TIMER1_OVF_vect) {
    overflows++;
    if (blinking && until_blink-- == 0) {
        until_blink = BLINK_OVERFLOWS;
        PORTB ^= _BV(BOARD_LED);
    }
}

uint32_t port_cycles(void) {
    uint16_t low, high;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
        low = TCNT1;
        high = (uint16_t)overflows;
        if (TIFR1 & _BV(TOV1) && low < 0x8000) /* it wrapped before it was read */
            high++;
    }
    return (uint32_t)high << 16 | low;
}

uint32_t port_uptime_s(void) {
    uint32_t count;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { count = overflows; }
    return count / (F_CPU >> 16); /* 244.1 or 122.1 a second: fast by 0.06 % */
}

void clock_blink(bool on) { blinking = on; }
