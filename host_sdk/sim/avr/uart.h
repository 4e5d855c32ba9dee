/* USART0 as the datasheet describes it: real frame times, real buffer depths, real overruns. */
#ifndef ULM_UART_H
#define ULM_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uart_counters {
    uint64_t received;    /* bytes that reached the receive buffer */
    uint64_t transmitted; /* bytes that left the transmitter */
    uint64_t dropped;     /* bytes lost because the receiver was full */
    uint64_t polls;       /* status reads that found nothing received */
};

extern struct uart_counters uart_counters;

void uart_create(void);
void uart_reset(void);

/* Bytes that the wire can take from the host now. */
size_t uart_room(void);

/* Puts bytes on the wire towards the chip; at most uart_room() of them. */
void uart_feed(const uint8_t *bytes, size_t count);

/* Nothing on the wire in either direction, nothing received and unread. */
bool uart_quiet(void);

/* The clock runs again after power-down; a byte that was arriving is lost. */
void uart_started(void);

#endif
