/* Requests of the protocol, and lines that a person types: both end in replies of the engine. */
#ifndef SERVICE_H
#define SERVICE_H

/* Checks the model and greets; then serves for ever. */
void service_run(void) __attribute__((noreturn));

#endif
