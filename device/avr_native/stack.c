/* How deep the stack has been: what lies above the static data is painted at reset. */
#include <avr/io.h>

#include "port.h"

extern uint8_t __heap_start;

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
