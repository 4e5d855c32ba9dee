/* Hashing of queries and contexts. */
#include "text.h"

#include <stdbool.h>

#include "spec.h"

#define BASE 31
#define ZONE_STEP (7U * BASE * BASE * BASE) /* a window's hash starts at 7 times its zone */

static uint8_t first, second; /* the two characters before */
static bool started;
static uint8_t zones;         /* still to come */
static uint8_t windows;       /* still to come in this zone */
static uint16_t zone_hash;
static bool words;
static uint16_t word;

uint8_t text_lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

void text_query_begin(uint8_t features) {
    second = ' ';
    started = false;
    zones = features & QUERY_ZONES;
    words = features & QUERY_WORDS;
    windows = ZONE_WINDOWS;
    zone_hash = 0;
    word = WORD_START;
}

void text_query_add(uint8_t byte, text_hash_t use) {
    byte = text_lower(byte);
    if (started) {
        use((uint16_t)((uint16_t)(first * BASE + second) * BASE + byte + zone_hash));
        if (!--windows && zones) {
            zones--;
            windows = ZONE_WINDOWS;
            zone_hash += (uint16_t)ZONE_STEP;
        }
    }
    if (byte != ' ') {
        word = word * BASE + byte;
    } else {
        if (words && second != ' ')
            use(word);
        word = WORD_START;
    }
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
