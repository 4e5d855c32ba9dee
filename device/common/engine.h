/* The network: a query goes in byte by byte, every pass gives one class. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stdint.h>

void engine_query_begin(void);
void engine_query_add(uint8_t byte);
void engine_query_end(void);

/* One run of the network: the first largest of its outputs. Adds them to the digest. */
uint8_t engine_pass(void);

/* An output of the last pass. */
int16_t engine_output(uint8_t row);

/* Tells a character model what was said. */
void engine_context_add(uint8_t character);

/* CRC-16/X-25 of the outputs of all passes since the query. */
uint16_t engine_digest(void);

#endif
