/* Text to hashes, to the bit as docs/semantics.md says. Buckets are the low bits of a hash. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

typedef void (*text_hash_t)(uint16_t hash);

/* A query, byte by byte: every window of three characters, one blank before and one after, and
 * what else `features` (QUERY_...) say. The caller adds the last blank. */
void text_query_begin(uint8_t features);
void text_query_add(uint8_t byte, text_hash_t use);

/* All 1-, 2- and 3-grams of a context of `length` characters. */
void text_context(const uint8_t *context, uint8_t length, text_hash_t use);

uint8_t text_lower(uint8_t byte);

#endif
