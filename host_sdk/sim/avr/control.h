/* The control channel: one line per command on standard input, one line per answer. */
#ifndef ULM_CONTROL_H
#define ULM_CONTROL_H

#include <stdbool.h>

/* Takes over standard output, so that nothing else can write to the channel. */
void control_create(void);

/* The first line: the path of the pty, or "error ...". */
void control_greet(const char *line);

/* Reads and serves what has arrived; false when the board is to be switched off. */
bool control_serve(void);

/* Held in reset: nothing runs until the first reset command. */
extern bool control_held;

#endif
