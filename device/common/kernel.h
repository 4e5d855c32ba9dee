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

#include "tape.h"

/* A query: clears counts and B, counts a bucket itself or, in FORM_TABLE, its column of the first
 * layer, moves signed counts of rows to B before they can wrap. */
void kernel_clear(void);
void kernel_count(uint16_t bucket);
void kernel_fold(void);

/* Its end: folds, and from what is in B makes the query's share of the counts, which is kept, or
 * for a reply model the first layer's sums in A. */
void kernel_begin(void);

/* The counts of a pass: the query's share and every n-gram of a context. */
void kernel_context(const uint8_t *context);

/* So many layers, the one before them being in A: starts the sums of each in the other page and
 * pushes each active row of the layer before through its column. Sums wrap modulo 2^16. The tape
 * stands on the start of the first; returns whether the last one is in B. */
bool kernel_push(tape_t tape, uint8_t layers);

/* The first largest output of the last layer; adds all outputs to the digest. */
uint8_t kernel_choose(bool in_b, uint16_t *digest);

/* A sum, and the count of a bucket where buckets are counted first. */
uint16_t kernel_get(bool in_b, uint8_t place);
void kernel_put(bool in_b, uint8_t place, uint16_t sum);
uint8_t kernel_bucket(uint8_t bucket);

#endif
