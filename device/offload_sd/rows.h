/* Layers of which every weight streams by (form rows of docs/image-stream.md). In the arena: the
 * query's text at its end; before it a layer's inputs at one side and its outputs at the other. */
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

/* A query, which is kept as text, for it is hashed again in every pass. */
void rows_query_begin(void);
void rows_query_add(uint8_t byte);
void rows_query_end(void);

/* A pass; the outputs. */
const int16_t *rows_pass(void);

#endif
