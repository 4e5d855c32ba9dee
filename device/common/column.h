/* The kernel seam: one function that a port may replace by assembly. */
#ifndef COLUMN_H
#define COLUMN_H

#include <stdint.h>

#include "tape.h"

/* Adds one sparse column, times x, to the sums of `rows` rows.
 * The column is two lists of nibbles, rows to add to and rows to subtract from (docs/image.md).
 * Sums wrap modulo 2^16. Returns the tape behind the column. */
tape_t column_add(tape_t tape, int16_t *sums, uint16_t rows, int16_t x);

#endif
