/* Sparse integer network on a tape (docs/semantics.md, docs/image.md).
 *
 * Sums alternate between two parts of one arena: A for odd layers, B for even ones. The query half
 * of a character model's first layer is the same in every pass and waits in the cache, one byte a
 * row. */
#include "engine.h"

#include <string.h>

#include "column.h"
#include "crc.h"
#include "image.h"
#include "spec.h"
#include "tape.h"
#include "text.h"

#define CONTEXT_MAX 32

typedef struct {
    uint16_t rows;
    uint8_t shift;
    uint8_t flags;
} record_t;

static int16_t arena[ARENA_BYTES / 2];
static uint8_t context[CONTEXT_MAX];
static uint16_t digest;

/* What the passes need of the image. */
static uint8_t kind;
static uint8_t layers;
static uint8_t context_length;
static uint16_t query_mask, context_mask;
static uint16_t first_rows;
static uint16_t columns_table; /* image offset of the first layer's column places */
static int16_t *sums_b;
static int8_t *cache;
static int16_t *outputs;
static uint8_t classes;

/* What hashes are added to, and times what. */
static uint16_t bucket_mask;
static uint16_t bucket_table;
static int16_t bucket_x;

static record_t record_at(uint8_t layer) {
    uint8_t at = IMAGE_HEADER_BYTES + layer * IMAGE_RECORD_BYTES;
    return (record_t){image_word(at), image_byte(at + 2), image_byte(at + 3)};
}

uint8_t engine_open(void) {
    uint16_t length = image_word(AT_LENGTH);
    if (image_word(AT_MAGIC) != IMAGE_MAGIC)
        return STATUS_NO_MODEL;
    if (image_byte(AT_ABI) != IMAGE_ABI)
        return STATUS_BAD_ABI;
    tape_t tape = tape_at(IMAGE_CHECK_FROM);
    uint16_t crc = CRC_START;
    for (uint16_t left = length - IMAGE_CHECK_FROM; left; left--)
        crc = crc_update(crc, tape_next(&tape));
    if ((uint16_t)~crc != image_word(AT_CHECK))
        return STATUS_BAD_MODEL;

    kind = image_byte(AT_KIND);
    layers = image_byte(AT_LAYERS);
    context_length = image_byte(AT_CONTEXT_LENGTH);
    query_mask = (uint16_t)(1 << image_byte(AT_QUERY_BITS)) - 1;
    context_mask = (uint16_t)(1 << image_byte(AT_CONTEXT_BITS)) - 1;
    first_rows = record_at(0).rows;
    columns_table = image_word(AT_TAPE) + 2 * first_rows;
    sums_b = arena + image_word(AT_ARENA_B) / 2;
    cache = (int8_t *)arena + image_word(AT_ARENA_CACHE);
    classes = (uint8_t)record_at(layers - 1).rows;
    outputs = layers & 1 ? arena : sums_b;
    return STATUS_OK;
}

/* Adds the first layer's column of a hash to the sums in A. */
static void add_bucket(uint16_t hash) {
    uint16_t place = image_word(bucket_table + 2 * (hash & bucket_mask));
    if (place)
        column_add(tape_at(place), arena, first_rows, bucket_x);
}

void engine_query_begin(void) {
    memset(arena, 0, 2 * first_rows);
    memset(context, ' ', sizeof context);
    digest = CRC_START;
    bucket_mask = query_mask;
    bucket_table = columns_table;
    bucket_x = 1;
    text_query_begin();
}

void engine_query_add(uint8_t byte) { text_query_add(byte, add_bucket); }

void engine_query_end(void) {
    engine_query_add(' ');
    bucket_mask = context_mask;
    bucket_table = columns_table + 2 * (query_mask + 1);
    bucket_x = INPUT_SCALE;
    if (kind == KIND_CHARACTER)
        for (uint16_t row = 0; row < first_rows; row++)
            cache[row] = arena[row] < CACHE_MIN ? CACHE_MIN : (int8_t)arena[row];
}

/* The first layer: biases, the query's counts, the context's columns. Returns the tape behind the
 * layer. */
static tape_t first_layer(void) {
    tape_t tape = tape_at(image_word(AT_TAPE));
    bool cached = kind == KIND_CHARACTER;
    for (uint16_t row = 0; row < first_rows; row++) {
        int16_t count = cached ? cache[row] : arena[row];
        arena[row] = (int16_t)((uint16_t)count * INPUT_SCALE + tape_word(&tape));
    }
    if (cached)
        text_context(context, context_length, add_bucket);
    return tape_at(image_word(AT_SECOND));
}

/* Rows of one finished layer, each pushed through its column into the sums of the next. */
static tape_t push_rows(tape_t tape, record_t from, record_t to, const int16_t *done,
                        int16_t *sums) {
    for (uint16_t row = 0; row < to.rows; row++)
        sums[row] = (int16_t)tape_word(&tape);
    for (uint16_t left = from.rows; left; left--) {
        uint16_t length = tape_next(&tape);
        if (to.flags & LAYER_LONG_COLUMNS)
            length |= (uint16_t)tape_next(&tape) << 8;
        int16_t x = *done++;
        if (x > 0)
            x >>= from.shift;
        if (x <= 0) {
            tape = tape_skip(tape, length);
            continue;
        }
        if (x > 255 && from.flags & LAYER_SATURATE)
            x = 255;
        tape = column_add(tape, sums, to.rows, x);
    }
    return tape;
}

uint8_t engine_pass(void) {
    tape_t tape = first_layer();
    record_t from = record_at(0);
    int16_t *done = arena, *sums = sums_b;
    for (uint8_t layer = 1; layer < layers; layer++) {
        record_t to = record_at(layer);
        tape = push_rows(tape, from, to, done, sums);
        int16_t *swap = done;
        done = sums;
        sums = swap;
        from = to;
    }
    uint8_t best = 0;
    uint16_t crc = digest;
    for (uint8_t row = 0; row < classes; row++) {
        int16_t output = done[row] >> from.shift;
        done[row] = output;
        if (output > done[best])
            best = row;
        crc = crc_update(crc, (uint8_t)output);
        crc = crc_update(crc, (uint8_t)((uint16_t)output >> 8));
    }
    digest = crc;
    return best;
}

const int16_t *engine_outputs(void) { return outputs; }

uint8_t engine_classes(void) { return classes; }

void engine_context_add(uint8_t character) {
    memmove(context, context + 1, context_length - 1);
    context[context_length - 1] = text_lower(character);
}

uint16_t engine_digest(void) { return ~digest; }
