/* The native AVR runtime: model in flash behind the program, one serial line. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "board.h"
#include "clock.h"
#include "port.h"
#include "rest.h"
#include "service.h"
#include "spec.h"
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
        .flags = HELLO_CYCLES | HELLO_UPLOAD,
        .max_payload = MAX_PAYLOAD,
        .build = 0, /* stamped when shipped */
        .spec_sum = SPEC_SUM,
        .clock_hz = F_CPU,
        .board = BOARD_NAME,
        .abi = IMAGE_ABI,
        .model_address = MODEL_ADDRESS,
        .model_capacity = BOARD_FLASH_END - MODEL_ADDRESS,
        .runtime_bytes = (uint16_t)&__data_load_end,
        .sram_bytes = (uint16_t)&__heap_start - RAMSTART,
    }};
const port_facts_t *const port_facts = &ident.facts;

void port_power_down(void) { rest_power_down(); }

void port_idle(void) { rest_idle(); }

int main(void) {
    wdt_disable();
    PRR = (uint8_t) ~(_BV(PRUSART0) | _BV(PRTIM1)); /* the ADC switches itself on and off */
    ACSR = _BV(ACD);
    set_sleep_mode(SLEEP_MODE_IDLE);
    uart_begin();
    clock_begin();
    sei();
    service_run();
}
