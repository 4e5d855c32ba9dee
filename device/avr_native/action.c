/* What a reply can do on the board. */
#include <avr/io.h>
#include <avr/power.h>

#include "board.h"
#include "clock.h"
#include "port.h"
#include "spec.h"

#define REFERENCE_SUPPLY _BV(REFS0)
#define REFERENCE_INTERNAL (_BV(REFS1) | _BV(REFS0))
#define CHANNEL_TEMPERATURE 8
#define CHANNEL_BANDGAP 14
#define SETTLE 32 /* conversions thrown away after the reference or the bandgap was switched on */

static uint16_t convert(uint8_t mux, uint8_t discard) {
    /* clk/128: 125 kHz at 16 MHz, 62.5 kHz at 8 MHz, inside the ADC's 50 to 200 kHz */
    power_adc_enable();
    ADCSRA = _BV(ADEN) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0);
    ADMUX = mux;
    do {
        ADCSRA |= _BV(ADSC);
        while (ADCSRA & _BV(ADSC))
            ;
    } while (discard--);
    uint16_t reading = ADC;
    ADCSRA = 0; /* off: it draws current */
    power_adc_disable();
    return reading;
}

static void led(bool on) {
    clock_blink(false);
    DDRB |= _BV(BOARD_LED);
    if (on)
        PORTB |= _BV(BOARD_LED);
    else
        PORTB &= (uint8_t)~_BV(BOARD_LED);
}

port_value_t port_action(uint8_t action) {
    port_value_t number = {0, 0};
    uint16_t reading;
    switch (action) {
    case ACTION_LED_ON:
    case ACTION_LED_OFF:
        led(action == ACTION_LED_ON);
        break;
    case ACTION_LED_BLINK:
        led(true);
        clock_blink(true);
        break;
    case ACTION_READ_ANALOG:
        number.value = convert(REFERENCE_SUPPLY | BOARD_ANALOG, 1);
        break;
    case ACTION_READ_DIGITAL:
        DDRD &= (uint8_t)~_BV(BOARD_BUTTON);
        PORTD |= _BV(BOARD_BUTTON); /* pull-up */
        number.value = PIND >> BOARD_BUTTON & 1;
        break;
    case ACTION_SUPPLY_VOLTAGE:
        /* The 1.1 V bandgap measured against the supply; +-10 % between chips (datasheet 28.8). */
        reading = convert(REFERENCE_SUPPLY | CHANNEL_BANDGAP, SETTLE);
        number.value = reading ? 112640UL / reading : 0; /* 1.1 V * 1024, in hundredths */
        number.decimals = 2;
        break;
    case ACTION_TEMPERATURE:
        /* 314 mV at 25 C, 1.06 mV per degree, 1100 mV / 1024 per step: reading * 1.0134 - 271;
         * 55 / 4096 is .0134.
         * +-10 degrees without calibration (datasheet 23.8). */
        reading = convert(REFERENCE_INTERNAL | CHANNEL_TEMPERATURE, SETTLE);
        number.value = (int16_t)(reading + (reading * 55U >> 12)) - 271;
        break;
    case ACTION_UPTIME:
        number.value = (int32_t)port_uptime_s();
        break;
    case ACTION_DICE:
        /* The moment a person asks is chance enough. */
        number.value = (uint8_t)port_cycles() * 6U / 256 + 1;
        break;
    }
    return number;
}
