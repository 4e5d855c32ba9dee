/* Sparse layers whose columns stream by (form lists of docs/image-stream.md). Sums lie in the pages
 * of avr_native/pages.h: low bytes in one, high bytes in the next, each with PRESET added. */
#ifndef LISTS_H
#define LISTS_H

#include <stdint.h>

/* A query: clears the counts of its buckets, counts one, and at the end pushes the columns of all,
 * where the model has a context to go with them. */
void lists_query_begin(void);
void lists_query_count(uint16_t hash);
void lists_query_end(void);

/* A pass; the outputs, in order of rows. */
const int16_t *lists_pass(void);

/* lists_push.S. Both take what the stream has next. */

/* The sums of a layer, in the pages from `sums` on: what the stream says, and `unit` times the
 * cached counts. */
void lists_start(uint8_t sums, uint8_t unit);

/* Pushes each active place of the finished layer in the pages from `done` on through its column,
 * into the sums in the other pages. With LAYER_COUNTS in `flags` places are counts, of one byte and
 * without PRESET, and each counts `shift`. 256 places are 0. */
void lists_push(uint8_t done, uint8_t places, uint8_t shift, uint8_t flags);

#endif
