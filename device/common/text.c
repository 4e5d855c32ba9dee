/* Hashing of queries and contexts. */
#include "text.h"

#include <stdbool.h>

#define BASE 31

static uint8_t first, second; /* the two characters before */
static bool started;

uint8_t text_lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

void text_query_begin(void) {
    second = ' ';
    started = false;
}

void text_query_add(uint8_t byte, text_hash_t use) {
    byte = text_lower(byte);
    if (started)
        use((uint16_t)((uint16_t)(first * BASE + second) * BASE + byte));
    started = true;
    first = second;
    second = byte;
}

void text_context(const uint8_t *context, uint8_t length, text_hash_t use) {
    for (uint8_t n = 1; n <= 3; n++)
        for (uint8_t start = 0; start + n <= length; start++) {
            uint16_t hash = (uint16_t)(start * 7);
            for (uint8_t i = start; i < start + n; i++)
                hash = (uint16_t)(hash * BASE + context[i]);
            use(hash);
        }
}
