/* Sparse layers: what is next on the stream, and which pages it goes through. */
#include "lists.h"

#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "image.h"
#include "pages.h"
#include "stream.h"

#define PAGE(number) ((uint8_t *)((number) << 8))

/* Of a layer; places 0 means 256. */
typedef struct {
    uint8_t shift;
    uint8_t flags;
    uint8_t places;
    uint8_t zero;
} shape_t;

static void clear_counts(uint16_t mask) {
    memset(PAGE(A_LOW), 0, mask + 1);
    memset(PAGE(A_LOW + 1), 0, mask + 1);
}

void lists_query_begin(void) { clear_counts(image.query_mask); }

void lists_query_count(uint16_t hash) { PAGE(A_LOW)[hash & image.query_mask]++; }

static void count_context(uint16_t hash) { PAGE(A_LOW)[hash & image.context_mask]++; }

static void push_buckets(uint16_t mask, uint8_t unit) {
    lists_push(A_LOW, (uint8_t)(mask + 1), unit, LAYER_COUNTS);
}

/* A context lifts no row whose count was cut to a positive sum: the packer has seen to it. */
static void cache_counts(void) {
    uint8_t place = 0;
    do {
        int16_t count = (int16_t)(PAGE(B_LOW + 1)[place] << 8 | PAGE(B_LOW)[place]) - PRESET;
        PAGE(CACHE)[place] = (uint8_t)(count < INT8_MIN ? INT8_MIN : count);
    } while (++place);
}

void lists_query_end(void) {
    if (image.kind != KIND_CHARACTER)
        return;
    memset(PAGE(B_LOW), PRESET, 256);
    memset(PAGE(B_LOW + 1), 0, 256);
    stream_seek(image.first);
    push_buckets(image.query_mask, 1);
    cache_counts();
}

/* Finishes the last layer, which is at `sums`, in the other pages. */
static const int16_t *finish(uint8_t sums, const shape_t *shape) {
    int16_t *outputs = (int16_t *)PAGE(sums ^ SWAP);
    uint8_t rows = shape->places;
    bool spaced = rows && rows + rows / GROUP_ROWS < PLACES;
    uint8_t left = spaced ? (uint8_t)((rows - 1) % GROUP_ROWS + 1) : rows;
    const uint8_t *low = PAGE(sums);
    uint8_t row = 0;
    do {
        outputs[row] = (int16_t)((low[256] << 8 | low[0]) - PRESET) >> shape->shift;
        low++;
        if (!--left && spaced) {
            low++; /* a spare */
            left = GROUP_ROWS;
        }
    } while (++row != rows);
    return outputs;
}

const int16_t *lists_pass(void) {
    stream_layer = 1;
    stream_seek(image.pass);
    if (image.kind == KIND_CHARACTER) {
        clear_counts(image.context_mask);
        context_hashes(count_context);
        lists_start(B_LOW, INPUT_SCALE);
        push_buckets(image.context_mask, INPUT_SCALE);
    } else {
        lists_start(B_LOW, 0);
        push_buckets(image.query_mask, INPUT_SCALE);
    }
    uint8_t done = B_LOW;
    shape_t shape;
    for (;;) {
        if (stream_layer == image.layers)
            break;
        stream_layer++;
        lists_start(done ^ SWAP, 0);
        stream_read(&shape, sizeof shape);
        lists_push(done, shape.places, shape.shift, shape.flags);
        done ^= SWAP;
    }
    stream_read(&shape, sizeof shape);
    return finish(done, &shape);
}
