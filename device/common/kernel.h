/* The kernel seam: what a port may replace by assembly. kernel.c is the portable kernel and the
 * reference for others.
 *
 * Sums lie in one of two pages, A for odd layers and B for even ones. A page has 256 places; which
 * row has which place, and how columns are coded, is in docs/image.md. The first layer is counted
 * a byte a row: counts lie in A. Every sum has PRESET added. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"
#include "tape.h"

extern tape_t kernel_table; /* offsets of the first layer's columns; the engine sets it */

/* Adds the first layer's column of a bucket to the counts, modulo 2^8. */
void kernel_count(uint16_t bucket);

/* Does so for every n-gram of a context: its hash, cut to `mask`, is a bucket behind `base`. */
void kernel_context(const uint8_t *context, uint8_t length, uint16_t mask, uint16_t base);

/* A long query: the first places, 0 for 256, of counts and of B are cleared; signed counts are
 * moved to B. */
void kernel_clear(uint8_t places);
void kernel_fold(uint8_t places);

/* The query's share of the counts of a character model: kept by place, copied back by fours. */
void kernel_keep(uint8_t place, uint8_t count);
void kernel_recall(uint8_t fours);

/* Sets a sum in A, reads one anywhere. */
void kernel_set(uint8_t place, uint16_t sum);
uint16_t kernel_get(bool in_b, uint8_t place);

/* Starts the sums of a layer and pushes each active row of the layer before it through its column.
 * That layer is in B or A, the new one in the other. Sums wrap modulo 2^16. The tape stands on the
 * start of the new layer; returns the tape behind its columns. */
tape_t kernel_push(tape_t tape, bool from_b);

/* The first largest output of the last layer, on whose shape the tape stands; adds all outputs to
 * the digest. */
uint8_t kernel_choose(tape_t tape, bool in_b, uint16_t *digest);

#endif
