/* Arithmetic of rows at the speed of the bus. Both functions take `count` bytes (at least one),
 * which the caller has seen to be there. */
#ifndef ROWS_DOT_H
#define ROWS_DOT_H

#include <stdint.h>

#define ROWS_WIDE 1 /* activations have two bytes */

/* `sum` and the products of weights and the activations at `x`. `kind`: 2, 4 or 8 bits a weight,
 * and ROWS_WIDE. */
uint16_t rows_dot(uint16_t sum, const uint8_t *x, uint16_t count, uint8_t kind);

/* Adds weights to sums; returns what is behind the last one. */
uint16_t *rows_add(uint16_t *sums, uint16_t count, uint8_t bits);

#endif
