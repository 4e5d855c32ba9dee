/* Layers of which every weight streams by: where their inputs and outputs lie. */
#include "rows.h"

#include <stdbool.h>
#include <string.h>

#include "arena.h"
#include "context.h"
#include "image.h"
#include "rows_dot.h"
#include "stream.h"
#include "text.h"

/* As it stands before a layer's weights. */
typedef struct __attribute__((packed)) {
    uint16_t rows;
    uint16_t columns;
    uint8_t bits;
    uint8_t shift;
    uint8_t flags;
    uint8_t zero;
} layer_t;

_Static_assert(sizeof(layer_t) == STREAM_LAYER_BYTES, "layer");

static layer_t layer;
static uint16_t stride; /* bytes of a row, or in the first layer of a column */
static uint16_t
    query;          /* bytes of the query, first at the start of the arena, in a pass at its end */
static bool shared; /* these bytes are not the query, but its share of the first layer's sums */

#define ROOM ((uint16_t)(ARENA_BYTES - query))

void rows_query_begin(void) {
    query = 0;
    shared = false;
}

void rows_query_add(uint8_t byte) { ARENA[query++] = byte; }

void rows_query_end(void) { memmove(ARENA + ROOM, ARENA, query); }

/* Where a card is pulled out, the rest of its block reads as FFh. */
static void need(bool holds) {
    if (!holds)
        stream_fail(FAULT_READ);
}

static void begin_layer(bool first) {
    stream_read(&layer, sizeof layer);
    need(layer.rows <= ARENA_BYTES && (layer.bits == 2 || layer.bits == 4 || layer.bits == 8));
    uint32_t bits = (uint32_t)(first ? layer.rows : layer.columns) * layer.bits;
    stride = (uint16_t)((bits + 7) / 8);
}

/* How many of `left` bytes can be taken at once; they are as good as taken. */
static uint16_t take_part(uint16_t left) {
    if (!stream_left)
        stream_block();
    uint16_t part = left < stream_left ? left : stream_left;
    stream_left -= part;
    return part;
}

static void add_column(uint16_t bucket) {
    stream_seek(image.first + sizeof layer + (uint32_t)bucket * stride);
    uint16_t *sums = (uint16_t *)ARENA;
    for (uint16_t left = stride, part; left; left -= part) {
        part = take_part(left);
        sums = rows_add(sums, part, layer.bits);
    }
}

/* Columns wait behind the sums, sorted: a card reads on from one to the next. */
#define WAITING ((uint16_t *)ARENA + layer.rows)

static uint8_t waiting;
static uint8_t waiting_most;

static void begin_waiting(void) {
    uint16_t sums = layer.rows << 1;
    need(sums + 2 <= ROOM);
    uint16_t most = (ROOM - sums) / 2;
    waiting_most = most > 255 ? 255 : (uint8_t)most;
    waiting = 0;
}

static void add_waiting(void) {
    for (uint8_t at = 0; at != waiting; at++)
        add_column(WAITING[at]);
    waiting = 0;
}

static void add_later(uint16_t bucket) {
    if (waiting == waiting_most)
        add_waiting();
    uint16_t *place = WAITING + waiting;
    for (waiting++; place != WAITING && place[-1] > bucket; place--)
        place[0] = place[-1];
    *place = bucket;
}

static void add_query(uint16_t hash) { add_later(hash & image.query_mask); }

static void add_context(uint16_t hash) {
    add_later(image.query_mask + 1 + (hash & image.context_mask));
}

static uint16_t next_word(void) {
    uint8_t low = stream_next();
    return (uint16_t)(stream_next() << 8 | low);
}

/* Writes an activation, or an output of the last layer; returns where the next one goes. */
static uint8_t *finish_row(uint8_t *out, uint16_t sum) {
    int16_t value = (int16_t)sum >> layer.shift;
    if (stream_layer != image.layers) {
        if (value < 0)
            value = 0;
        if (layer.flags & LAYER_SATURATE) {
            *out = value > 255 ? 255 : (uint8_t)value;
            return out + 1;
        }
    }
    *(int16_t *)out = value;
    return out + 2;
}

/* The query's share of the sums, at the start of the arena. Where there is room to keep it, a copy
 * takes the query's place. */
static void add_query_share(void) {
    uint16_t bytes = layer.rows << 1;
    if (shared) {
        need(bytes == query);
        memcpy(ARENA, ARENA + ROOM, bytes);
        return;
    }
    memset(ARENA, 0, bytes);
    text_query_begin(image.features);
    for (const uint8_t *byte = ARENA + ROOM; byte != ARENA + ARENA_BYTES; byte++)
        text_query_add(*byte, add_query);
    text_query_add(' ', add_query);
    add_waiting();
    if (image.kept && bytes <= ARENA_BYTES / 2) {
        query = bytes;
        memcpy(ARENA + ROOM, ARENA, bytes);
        shared = true;
    }
}

/* The first layer: its columns for every hash, then the biases. */
static void pass_first(void) {
    stream_seek(image.first);
    begin_layer(true);
    begin_waiting();
    add_query_share();
    if (image.kind == KIND_CHARACTER) {
        begin_waiting();
        context_hashes(add_context);
        add_waiting();
    }
    stream_seek(image.pass);
    uint16_t *sums = (uint16_t *)ARENA;
    uint8_t *out = ARENA;
    for (uint16_t left = layer.rows; left; left--)
        out = finish_row(out, (uint16_t)(*sums++ * INPUT_SCALE + next_word()));
}

static void pass_layer(const uint8_t *in, bool wide, uint8_t *out) {
    uint8_t step = (uint8_t)(8 / layer.bits) << wide; /* bytes of activations for one of weights */
    for (uint16_t rows = layer.rows; rows; rows--) {
        uint16_t sum = next_word();
        const uint8_t *x = in;
        for (uint16_t left = stride;;) {
            uint16_t part = take_part(left);
            sum = rows_dot(sum, x, part, layer.bits | wide);
            left -= part;
            if (!left)
                break;
            x += part * step;
        }
        out = finish_row(out, sum);
    }
}

const int16_t *rows_pass(void) {
    stream_layer = 1;
    pass_first();
    uint8_t *in = ARENA;
    while (stream_layer != image.layers) {
        bool wide = !(layer.flags & LAYER_SATURATE);
        uint16_t inputs = layer.rows;
        stream_layer++;
        begin_layer(false);
        bool two = stream_layer == image.layers || !(layer.flags & LAYER_SATURATE);
        uint16_t bytes = layer.rows << two;
        need(layer.columns == inputs && (inputs << wide) + bytes <= ROOM);
        uint8_t *out = in == ARENA ? ARENA + ROOM - bytes : ARENA;
        pass_layer(in, wide, out);
        in = out;
    }
    return (const int16_t *)in;
}
