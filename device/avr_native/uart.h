/* The serial line: received by interrupt into a ring, sent by polling. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>

void uart_begin(void);

/* Whether port_receive() has a byte. */
bool uart_has_received(void);

/* Waits until the last byte sent has left. */
void uart_flush(void);

#endif
