/* Models whose weights are a stream of bits (docs/image.md): small and slow, for a store. */
#ifndef BITS_H
#define BITS_H

#include <stdbool.h>

/* All layers of a pass, from the counts of the buckets. Returns whether the outputs are in B. */
bool bits_pass(void);

#endif
