/* The kernel in portable C. */
#include "kernel.h"

#include <string.h>

static int16_t page_a[PLACES], page_b[PLACES];
uint8_t kernel_cache[PLACES];

/* Each overlaps a page that is idle while it is used. */
extern uint8_t kernel_counts[PLACES] __attribute__((alias("page_a")));
extern int16_t kernel_totals[PLACES] __attribute__((alias("page_b")));

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

void kernel_count(tape_t tape) {
    uint8_t length = tape_next(&tape);
    if (!length)
        return;
    column_t column = open_column(&tape, length);
    uint8_t step = 1;
    for (uint8_t left = column.plus;; left = column.minus) {
        for (uint8_t place = 0; left; left--) {
            uint8_t byte = tape_next(&tape);
            if (column.in_bytes) {
                kernel_counts[byte] += step;
                continue;
            }
            place += byte >> 4;
            kernel_counts[place] += step;
            place += byte & 15;
            kernel_counts[place] += step;
        }
        if (step != 1)
            return;
        step = (uint8_t)-1;
    }
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

void kernel_recall(uint8_t quads) {
    (void)quads;
    memcpy(kernel_counts, kernel_cache, PLACES);
}

void kernel_set(uint8_t place, uint16_t sum) { page_a[place] = (int16_t)sum; }

uint16_t kernel_get(bool in_b, uint8_t place) { return (uint16_t)(in_b ? page_b : page_a)[place]; }

static tape_t start_sums(tape_t tape, uint16_t *sums) {
    uint16_t places = 2 * tape_next(&tape);
    for (uint16_t place = 0; place < places; place++)
        sums[place] = tape_next(&tape);
    for (uint8_t left = tape_next(&tape); left; left--) {
        uint8_t place = tape_next(&tape);
        sums[place] |= (uint16_t)tape_next(&tape) << 8;
    }
    return tape;
}

tape_t kernel_push(tape_t tape, bool from_b) {
    const int16_t *done = from_b ? page_b : page_a;
    uint16_t *sums = (uint16_t *)(from_b ? page_a : page_b);
    tape = start_sums(tape, sums);
    uint8_t left = tape_next(&tape);
    uint8_t groups = tape_next(&tape);
    uint8_t shift = tape_next(&tape);
    uint8_t flags = tape_next(&tape);
    uint8_t zero = tape_next(&tape);
    for (uint8_t place = 0; groups; groups--, left = GROUP_ROWS, place++)
        do {
            uint8_t length = tape_next(&tape);
            int16_t sum;
            if (flags & LAYER_COUNTS) {
                uint8_t count = kernel_counts[place++];
                if (count < zero) {
                    tape = tape_skip(tape, length);
                    continue;
                }
                sum = (int16_t)((count - zero) * INPUT_SCALE + tape_next(&tape));
                length--;
            } else {
                sum = (int16_t)((uint16_t)done[place++] - PRESET);
            }
            int16_t x = sum >> shift;
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
