/* The kernel in portable C. */
#include "kernel.h"

#include <string.h>

#include "crc.h"
#include "image.h"
#include "text.h"

/* Places that the model uses, spares included, rounded up to fours. */
#ifndef KERNEL_PLACES
#define KERNEL_PLACES PLACES
#endif

static union {
    uint16_t sums[KERNEL_PLACES];
    uint8_t counts[2 * KERNEL_PLACES]; /* of rows, or of buckets */
} page_a;
static uint16_t page_b[KERNEL_PLACES];
static uint8_t cache[KERNEL_PLACES];
static uint8_t unfolded;

#define FOLD_GRAMS 60 /* columns of weights from -2 to 1 that a byte can count */

typedef struct {
    uint8_t plus, minus; /* bytes of the two lists */
    bool in_bytes;       /* each is a place; else two moves, high nibble first */
} column_t;

static column_t open_column(tape_t *tape, uint8_t length) {
    uint8_t code = tape_next(tape);
    column_t column = {code & (uint8_t)~BYTE_CODE, length - 1, code & BYTE_CODE};
    column.minus -= column.plus;
    return column;
}

void kernel_count(uint16_t bucket) {
    if (image.form != FORM_TABLE) {
        page_a.counts[bucket]++;
        return;
    }
    /* The table has the offset of every fourth column. */
    tape_t tape = tape_at(image.table + bucket / BLOCK_COLUMNS * 2);
    tape = tape_at(tape_word(&tape));
    uint8_t length = tape_next(&tape);
    for (uint8_t before = bucket % BLOCK_COLUMNS; before; before--) {
        tape = tape_skip(tape, length);
        length = tape_next(&tape);
    }
    if (!length)
        return;
    column_t column = open_column(&tape, length);
    uint8_t step = 1;
    for (uint8_t left = column.plus;; left = column.minus) {
        for (uint8_t place = 0; left; left--) {
            uint8_t byte = tape_next(&tape);
            if (column.in_bytes) {
                page_a.counts[byte] += step;
                continue;
            }
            place += byte >> 4;
            page_a.counts[place] += step;
            place += byte & 15;
            page_a.counts[place] += step;
        }
        if (step != 1)
            return;
        step = (uint8_t)-1;
    }
}

void kernel_clear(void) {
    memset(page_a.counts, 0, sizeof page_a.counts);
    memset(page_b, 0, sizeof page_b);
}

void kernel_fold(void) {
    uint8_t place = 0;
    do {
        page_b[place] += (uint16_t)(int8_t)page_a.counts[place];
        page_a.counts[place] = 0;
    } while (++place != image.first_places);
    unfolded = 0;
}

/* Whether the counts of a character model would not fit a byte, and sums are formed instead. */
static bool sums_needed(void) { return (uint8_t)(image.zero - image.floor) >= SUMS_ZERO; }

/* The first layer's sums from the counts in B. */
static void start_first(void) {
    tape_t tape = tape_at(image.tape);
    uint8_t place = 0;
    do
        page_a.sums[place] = (uint16_t)(page_b[place] * INPUT_SCALE + tape_word(&tape));
    while (++place != image.first_places);
}

void kernel_begin(void) {
    kernel_fold();
    if (image.kind != KIND_CHARACTER) {
        start_first();
        return;
    }
    tape_t tape = tape_at(image.tape);
    uint8_t place = 0;
    do {
        int16_t lift = image.lift ? image.lift : image.zero - (int8_t)tape_next(&tape);
        int16_t count = (int16_t)page_b[place] + lift;
        cache[place] = count < image.floor ? image.floor : (uint8_t)count;
    } while (++place != image.first_places);
}

static void count_gram(uint16_t hash) {
    kernel_count(image.query_mask + 1 + (hash & image.context_mask));
    if (sums_needed() && ++unfolded == FOLD_GRAMS)
        kernel_fold();
}

void kernel_context(const uint8_t *context) {
    if (sums_needed())
        kernel_clear();
    else
        memcpy(page_a.counts, cache, sizeof cache);
    text_context(context, image.context_length, count_gram);
    if (!sums_needed())
        return;
    kernel_fold();
    uint8_t place = 0;
    do
        page_b[place] += cache[place] - SUMS_ZERO;
    while (++place != image.first_places);
    start_first();
}

static tape_t add_column(tape_t tape, uint8_t length, uint16_t *sums, uint16_t x) {
    column_t column = open_column(&tape, length);
    uint16_t added = x;
    for (uint8_t left = column.plus;; left = column.minus) {
        for (uint8_t place = 0; left; left--) {
            uint8_t byte = tape_next(&tape);
            if (column.in_bytes) {
                sums[byte] += added;
                continue;
            }
            place += byte >> 4;
            sums[place] += added;
            place += byte & 15;
            sums[place] += added;
        }
        if (added != x)
            return tape;
        added = -x;
    }
}

uint16_t kernel_get(bool in_b, uint8_t place) { return (in_b ? page_b : page_a.sums)[place]; }

void kernel_put(bool in_b, uint8_t place, uint16_t sum) {
    (in_b ? page_b : page_a.sums)[place] = sum;
}

uint8_t kernel_bucket(uint8_t bucket) { return page_a.counts[bucket]; }

static tape_t start_sums(tape_t tape, uint16_t *sums) {
    uint16_t places = 4 * tape_next(&tape);
    for (uint16_t place = 0; place < places; place++)
        sums[place] = tape_next(&tape);
    for (uint8_t left = tape_next(&tape); left; left--) {
        uint8_t place = tape_next(&tape);
        sums[place] |= (uint16_t)tape_next(&tape) << 8;
    }
    return tape;
}

static tape_t push_layer(tape_t tape, bool from_b) {
    const uint16_t *done = from_b ? page_b : page_a.sums;
    uint16_t *sums = from_b ? page_a.sums : page_b;
    tape = start_sums(tape, sums);
    uint8_t left = tape_next(&tape);
    uint8_t groups = tape_next(&tape);
    uint8_t shift = tape_next(&tape); /* of counts: what one adds to the activation */
    uint8_t flags = tape_next(&tape);
    uint8_t zero = tape_next(&tape);
    for (uint8_t place = 0; groups; groups--, left = GROUP_ROWS, place++)
        do {
            uint8_t length = tape_next(&tape);
            int16_t x;
            if (flags & LAYER_COUNTS) {
                uint8_t count = page_a.counts[place++];
                if (count < zero) {
                    tape = tape_skip(tape, length);
                    continue;
                }
                x = (int16_t)((count - zero) * shift + tape_next(&tape));
                length--;
            } else {
                x = (int16_t)(done[place++] - PRESET) >> shift;
            }
            if (x <= 0) {
                tape = tape_skip(tape, length);
                continue;
            }
            if (x > 255 && flags & LAYER_SATURATE)
                x = 255;
            tape = add_column(tape, length, sums, (uint16_t)x);
        } while (--left);
    return tape;
}

bool kernel_push(tape_t tape, uint8_t layers) {
    bool in_b = false;
    for (; layers; layers--) {
        tape = push_layer(tape, in_b);
        in_b = !in_b;
    }
    return in_b;
}

uint8_t kernel_choose(bool in_b, uint16_t *digest) {
    const uint16_t *sums = in_b ? page_b : page_a.sums;
    uint8_t left = image.output_first;
    uint8_t row = 0, best = 0;
    int16_t most = INT16_MIN;
    for (uint8_t groups = image.output_groups; groups; groups--, left = GROUP_ROWS, sums++)
        do {
            int16_t output = (int16_t)(*sums++ - PRESET) >> image.output_shift;
            if (output > most) {
                most = output;
                best = row;
            }
            *digest = crc_update(*digest, (uint8_t)output);
            *digest = crc_update(*digest, (uint8_t)((uint16_t)output >> 8));
            row++;
        } while (--left);
    return best;
}
