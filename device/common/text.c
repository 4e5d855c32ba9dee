/* Hashing of queries and contexts. */
#include "text.h"

#include <stdbool.h>

#include "near.h"
#include "spec.h"

#define BASE 31
#define ZONE_STEP (7U * BASE * BASE * BASE) /* a window's hash starts at 7 times its zone */

/* Of the query that is coming in. */
typedef struct {
    uint8_t first, second; /* the two characters before */
    bool started;
    uint8_t zones;   /* still to come */
    uint8_t windows; /* still to come in this zone */
    bool words;
    uint16_t zone_hash;
    uint16_t word;
} query_t;

static query_t query;

uint8_t text_lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

void text_query_begin(uint8_t features) {
    query_t *q = &query;
    NEAR(q);
    q->second = ' ';
    q->started = false;
    q->zones = features & QUERY_ZONES;
    q->words = features & QUERY_WORDS;
    q->windows = ZONE_WINDOWS;
    q->zone_hash = 0;
    q->word = WORD_START;
}

void text_query_add(uint8_t byte, text_hash_t use) {
    query_t *q = &query;
    NEAR(q);
    byte = text_lower(byte);
    if (q->started) {
        use((uint16_t)((uint16_t)(q->first * BASE + q->second) * BASE + byte + q->zone_hash));
        if (!--q->windows && q->zones) {
            q->zones--;
            q->windows = ZONE_WINDOWS;
            q->zone_hash += (uint16_t)ZONE_STEP;
        }
    }
    if (byte != ' ') {
        q->word = q->word * BASE + byte;
    } else {
        if (q->words && q->second != ' ')
            use(q->word);
        q->word = WORD_START;
    }
    q->started = true;
    q->first = q->second;
    q->second = byte;
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
