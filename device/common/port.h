/* What a port gives to the common code: a serial line, a cycle counter, and what a reply can do on
 * the board. A new port implements these functions, tape.h and its main(). */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

/* The next received byte, or -1 when there is none. Never waits. */
int16_t port_receive(void);

/* Sends one byte; waits until the transmitter takes it. */
void port_send(uint8_t byte);

/* CPU cycles since reset, modulo 2^32. */
uint32_t port_cycles(void);

/* Called when there is nothing to do; may sleep until the next interrupt. */
void port_idle(void);

/* Sends what is left and stops the clock until the line wakes the board; the byte that does is
 * lost. */
void port_power_down(void);

/* A number to show: value / 10^decimals. */
typedef struct {
    int32_t value;
    uint8_t decimals;
} port_value_t;

/* Performs one ACTION_… and returns its value. */
port_value_t port_action(uint8_t action);

uint32_t port_uptime_s(void);
uint16_t port_stack_bytes(void); /* deepest so far */

/* What never changes, in the memory that tape_text() reads: HELLO sends the first part, INFO the
 * second. */
typedef struct __attribute__((packed)) {
    uint8_t revision;
    uint8_t flags; /* HELLO_… */
    uint8_t max_payload;
    uint16_t build;
    uint16_t spec_sum;
    uint32_t clock_hz;
    char board[13]; /* NUL-padded */

    uint8_t abi;
    uint32_t model_address;
    uint32_t model_capacity; /* bytes that an image may take there */
    uint16_t runtime_bytes;  /* of flash */
    uint16_t sram_bytes;     /* static */
} port_facts_t;

extern const port_facts_t *const port_facts;

#endif
