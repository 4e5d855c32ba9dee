/* Text mode: a person types a line and gets a line, on the same serial line as the frames. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

/* Greets; `status` says whether there is a model. */
void console_begin(uint8_t status);

void console_byte(uint8_t byte);

/* Takes the bytes of a frame that never ended as typed text. */
void console_unframe(void);

#endif
