// A firmware that does on command, over the serial line, one thing that a virtual board must get
// right.
//
// Every command is one letter; answers are described at each case.

#include "serial.h"

#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <util/delay.h>

static volatile uint8_t touched;

static void put16(uint16_t word) {
    put(word);
    put(word >> 8);
}

// Every level takes exactly three bytes of stack: a return address and one pushed register.
__asm__("dive:\n"
        "    push r24\n"
        "    dec r24\n"
        "    breq 1f\n"
        "    rcall dive\n"
        "1:  pop r24\n"
        "    ret\n");

static uint16_t analog(uint8_t mux) {
    ADMUX = _BV(REFS0) | mux;
    ADCSRA = _BV(ADEN) | _BV(ADSC) | 7;
    while (ADCSRA & _BV(ADSC))
        ;
    return ADC;
}

ISR(TIMER0_OVF_vect) { touched++; }

static volatile uint8_t unsent;

ISR(USART_UDRE_vect) {
    if (unsent)
        UDR0 = unsent--;
    else
        UCSR0B &= ~_BV(UDRIE0);
}

ISR(EE_READY_vect) {
    EECR &= ~_BV(EERIE);
    touched = 1;
}

ISR(USART_RX_vect) { GPIOR0 = UDR0; }

int main(void) {
    serial_begin();
    put('!');
    for (;;) {
        uint8_t command = get();
        switch (command) {
        case 'e': // echo the next 256 bytes
            for (uint16_t left = 256; left; left--)
                put(get());
            break;
        case 'n': // 5000 cycles between two markers: 1 for OUT, 5 a turn, 1 less for the last
            __asm__ volatile("ldi r24, 0xe8\n"
                             "ldi r25, 0x03\n"
                             "out %0, r24\n"
                             "1: nop\n"
                             "sbiw r24, 1\n"
                             "brne 1b\n"
                             "out %0, r24\n" ::"I"(_SFR_IO_ADDR(GPIOR0))
                             : "r24", "r25");
            break;
        case 'd': // recursion, depth in the next byte
            __asm__ volatile("mov r24, %0\n"
                             "rcall dive\n" ::"r"(get())
                             : "r24");
            put('d');
            break;
        case 'E': { // write EEPROM: address, value; markers around the busy time
            uint8_t address = get(), value = get();
            EEARH = 0;
            EEARL = address;
            EEDR = value;
            EECR |= _BV(EEMPE);
            EECR |= _BV(EEPE);
            GPIOR0 = 1;
            while (EECR & _BV(EEPE))
                ;
            GPIOR0 = 2;
            put('E');
            break;
        }
        case 'R': // read EEPROM: address; answers the value
            put(eeprom_read_byte((uint8_t *)(uint16_t)get()));
            break;
        case 'o': // be deaf for 20 byte times; answer status, then what the buffer held, then '.'
            _delay_us(20 * 10e6 / BAUD);
            for (uint8_t status; (status = UCSR0A) & _BV(RXC0);) {
                put(status & _BV(DOR0) ? 'D' : '-');
                put(UDR0);
            }
            put('.');
            break;
        case 'l': // blink D13 three times
            DDRB |= _BV(5);
            for (uint8_t n = 0; n < 3; n++) {
                PORTB |= _BV(5);
                _delay_ms(10);
                PORTB &= ~_BV(5);
                _delay_ms(10);
            }
            put('l');
            break;
        case 'p': // level of D2
            put(PIND & _BV(2) ? '1' : '0');
            break;
        case 'P': // pull-up of D2 on
            PORTD |= _BV(2);
            put('P');
            break;
        case 'a': // analog: multiplexer setting in the next byte; answers 16 bits
            put16(analog(get()));
            break;
        case 'i': // sleep in idle through three timer ticks
            TCCR0B = 5;
            TIMSK0 = _BV(TOIE0);
            sei();
            for (touched = 0; touched < 3;) {
                set_sleep_mode(SLEEP_MODE_IDLE);
                sleep_mode();
            }
            cli();
            TIMSK0 = TCCR0B = 0;
            put('i');
            break;
        case 'z': // power-down until the watchdog interrupt
            put('z');
            while (!(UCSR0A & _BV(TXC0)))
                ;
            wdt_reset();
            WDTCSR = _BV(WDCE) | _BV(WDE);
            WDTCSR = _BV(WDIE);
            sei();
            set_sleep_mode(SLEEP_MODE_PWR_DOWN);
            sleep_mode();
            cli();
            put('Z');
            break;
        case 'r': // receive by interrupt from now on; each byte becomes a marker
            UCSR0B |= _BV(RXCIE0);
            sei();
            set_sleep_mode(SLEEP_MODE_IDLE);
            for (;;)
                sleep_mode();
        case 'u': // transmit 100 bytes by interrupt, with markers at the start and when the last is
                  // out
            GPIOR0 = unsent = 100;
            UCSR0A |= _BV(TXC0);
            UCSR0B |= _BV(UDRIE0);
            sei();
            while (!(UCSR0A & _BV(TXC0)))
                ;
            GPIOR0 = unsent;
            cli();
            break;
        case 'q': // wait for the EEPROM by interrupt
            EEDR = 0;
            EECR |= _BV(EEMPE);
            EECR |= _BV(EEPE);
            touched = 0;
            GPIOR0 = 1;
            EECR |= _BV(EERIE);
            sei();
            while (!touched)
                ;
            GPIOR0 = 2;
            cli();
            put('q');
            break;
        case 'f': // a busy second, as a computation would be
            _delay_ms(1000);
            put('f');
            break;
        case 'W': // die by the watchdog
            wdt_enable(WDTO_15MS);
            for (;;)
                ;
        case 'w': // write far outside memory, as a wild pointer would
            *(volatile uint8_t *)0xF000 = 1;
            put('w');
            break;
        }
    }
}

ISR(WDT_vect) { WDTCSR = 0; }
