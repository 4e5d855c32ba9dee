/* The AVR runtime whose model lies on a card or a flash chip. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "board.h"
#include "clock.h"
#include "medium.h"
#include "port.h"
#include "service.h"
#include "spec.h"
#include "spi.h"
#include "stream.h"
#include "uart.h"

extern uint8_t __heap_start, __data_load_end;

/* Linked right behind the vectors, where the host looks for it before it overwrites a program. */
static const struct __attribute__((packed)) {
    char mark[4];
    port_facts_t facts;
} ident __attribute__((section(".progmem.gcc.ident"), used)) = {
    RUNTIME_MARK,
    {
        .revision = PROTOCOL_REVISION,
        .flags = HELLO_CYCLES | HELLO_UPLOAD | HELLO_CLEAN | HELLO_WINDOW,
        .max_payload = MAX_PAYLOAD,
        .build = 0, /* stamped when shipped */
        .spec_sum = SPEC_SUM,
        .clock_hz = F_CPU,
        .board = BOARD_NAME,
        .abi = STREAM_ABI,
        .model_address = 0,
        .model_capacity = 0, /* the medium's: service.c */
        .runtime_bytes = (uint16_t)&__data_load_end,
        .sram_bytes = (uint16_t)&__heap_start - RAMSTART,
    }};
const port_facts_t *const port_facts = &ident.facts;

#define PAINT 0xC5

/* Paints all of SRAM above the static data before anything is pushed there. */
static void paint(void) __attribute__((naked, used, section(".init1")));
static void paint(void) {
    for (uint8_t *byte = &__heap_start; byte <= (uint8_t *)RAMEND; byte++)
        *byte = PAINT;
}

uint16_t port_stack_bytes(void) {
    const uint8_t *byte = &__heap_start;
    while (byte <= (const uint8_t *)RAMEND && *byte == PAINT)
        byte++;
    return (uint16_t)((const uint8_t *)RAMEND + 1 - byte);
}

/* The start bit of a byte on the receive pin wakes the chip; there is nothing else to do. */
EMPTY_INTERRUPT(PCINT2_vect)

void port_power_down(void) {
    medium_sleep();
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

#define REST_64K (2 * F_CPU >> 16) /* about two seconds */

void port_idle(void) {
    if (stream_resting() > REST_64K)
        medium_sleep();
    /* Checked with interrupts off, or the byte that came meanwhile would wait for the next
     * interrupt. */
    cli();
    if (!uart_has_received()) {
        sleep_enable();
        sei(); /* takes effect after the next instruction */
        sleep_cpu();
        sleep_disable();
    }
    sei();
}

int main(void) {
    wdt_disable();
    PRR = (uint8_t) ~(_BV(PRUSART0) | _BV(PRTIM1)); /* the ADC switches itself on and off */
    ACSR = _BV(ACD);
    set_sleep_mode(SLEEP_MODE_IDLE);
    spi_off();
    uart_begin();
    clock_begin();
    sei();
    service_run();
}
