/* Requests of the protocol, and lines that a person types: both end in replies of the engine. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Checks the model and greets; then serves for ever. */
void service_run(void) __attribute__((noreturn));

/* With MODEL_ON_MEDIUM, while a request is answered: sends PROGRESS, four times a second at most;
 * and whether STOP has come to what can be stopped. While a line is answered that a person typed,
 * both do nothing. */
void service_progress(uint8_t layer, uint32_t done, uint32_t total);
bool service_stopped(void);

#endif
