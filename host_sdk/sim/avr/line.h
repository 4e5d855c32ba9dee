/* The board's end of the serial line: the master side of a pseudo-terminal. */
#ifndef ULM_LINE_H
#define ULM_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Creates the pty and returns the path of its slave; NULL on failure. */
const char *line_create(uint32_t baud, bool watch_opens);

/* Moves bytes both ways between the pty and the UART. */
void line_exchange(void);

/* Queues a byte for the host; lost when nobody has the port open or nobody reads. */
void line_send(uint8_t byte);

/* The speed that the host has set on its end, in bits per second. */
double line_baud(void);

/* Descriptors that wake a waiting board: host bytes that the wire has room for (or -1), and opens
 * (or -1). */
int line_input_fd(void);
int line_open_fd(void);

/* True once for every time somebody opened the port; only with watch_opens. */
bool line_was_opened(void);

#endif
