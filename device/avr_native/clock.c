/* Cycle counter and uptime. */
#include "clock.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <util/atomic.h>

#include "board.h"
#include "port.h"

#define BLINK_OVERFLOWS (F_CPU / 65536 / 4)

static volatile uint16_t overflows, overflows_high;
static volatile uint8_t until_blink; /* overflows; 0: the LED does not blink */

void clock_begin(void) {
    TCCR1A = 0;
    TCCR1B = _BV(CS10); /* every cycle */
    TIMSK1 = _BV(TOIE1);
}

void clock_pause(bool on) { TIMSK1 = on ? 0 : _BV(TOIE1); }

ISR(TIMER1_OVF_vect) {
    if (!++overflows)
        overflows_high++;
    uint8_t left = until_blink;
    if (left && !--left) {
        left = BLINK_OVERFLOWS;
        PORTB ^= _BV(BOARD_LED);
    }
    until_blink = left;
}

uint32_t port_cycles(void) {
    union {
        uint16_t words[2];
        uint32_t cycles;
    } now;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
        now.words[0] = TCNT1;
        now.words[1] = overflows;
        if (TIFR1 & _BV(TOV1) && now.words[0] < 0x8000) /* it wrapped before it was read */
            now.words[1]++;
    }
    return now.cycles;
}

uint32_t port_uptime_s(void) {
    uint32_t count;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { count = (uint32_t)overflows_high << 16 | overflows; }
    return count / (F_CPU >> 16); /* 244.1 or 122.1 a second: fast by 0.06 % */
}

void clock_blink(bool on) { until_blink = on ? BLINK_OVERFLOWS : 0; }
