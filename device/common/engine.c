/* Sparse integer network on a tape (docs/semantics.md, docs/image.md).
 *
 * The first layer is counted a byte a row. Its query half is the same in every pass of a character
 * model and waits in the kernel's cache; the sums of a reply model start from it. */
#include "engine.h"

#include <string.h>

#include "crc.h"
#include "image.h"
#include "kernel.h"
#include "spec.h"
#include "tape.h"
#include "text.h"

#define CONTEXT_MAX 32
#define FOLD_EVERY 60 /* columns of weights from -2 to 1 that a byte can count */

static uint8_t context[CONTEXT_MAX];
static uint16_t digest;

/* What the passes need of the image. */
static uint8_t kind;
static uint8_t layers;
static uint8_t context_length;
static uint8_t classes;
static uint8_t first_places; /* 0 means 256 */
static uint16_t query_mask, context_mask;

static uint8_t unfolded; /* columns in the counts */

/* The finished last layer: where its rows are. */
static bool outputs_in_b;
static tape_t outputs_shape;

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
    classes = image_byte(AT_CLASSES);
    context_length = image_byte(AT_CONTEXT_LENGTH);
    query_mask = (uint16_t)(1 << image_byte(AT_QUERY_BITS)) - 1;
    context_mask = (uint16_t)(1 << image_byte(AT_CONTEXT_BITS)) - 1;
    first_places = image_byte(AT_FIRST_PLACES);
    kernel_table = tape_at(image_word(AT_TABLE));
    return STATUS_OK;
}

static void count_query(uint16_t hash) { kernel_count(hash & query_mask); }

void engine_query_begin(void) {
    kernel_clear(first_places);
    memset(context, ' ', sizeof context);
    digest = CRC_START;
    unfolded = 0;
    text_query_begin();
}

void engine_query_add(uint8_t byte) {
    text_query_add(byte, count_query);
    if (++unfolded == FOLD_EVERY) {
        kernel_fold(first_places);
        unfolded = 0;
    }
}

void engine_query_end(void) {
    engine_query_add(' ');
    kernel_fold(first_places);
    tape_t tape = tape_at(image_word(AT_TAPE));
    uint8_t zero = image_byte(AT_ZERO);
    uint8_t floor = image_byte(AT_FLOOR);
    uint8_t place = 0;
    do {
        int16_t count = (int16_t)kernel_get(true, place);
        if (kind == KIND_CHARACTER) {
            count += zero - (int8_t)tape_next(&tape);
            kernel_keep(place, count < floor ? floor : (uint8_t)count);
        } else {
            kernel_set(place, (uint16_t)count * INPUT_SCALE + tape_word(&tape));
        }
    } while (++place != first_places);
}

uint8_t engine_pass(void) {
    if (kind == KIND_CHARACTER) {
        kernel_recall((uint8_t)(first_places + 3) / 4);
        kernel_context(context, context_length, context_mask, query_mask + 1);
    }
    tape_t tape = tape_at(image_word(AT_SECOND));
    outputs_in_b = false;
    for (uint8_t left = layers; --left;) {
        tape = kernel_push(tape, outputs_in_b);
        outputs_in_b = !outputs_in_b;
    }
    outputs_shape = tape;
    return kernel_choose(tape, outputs_in_b, &digest);
}

int16_t engine_output(uint8_t row) {
    tape_t tape = outputs_shape;
    uint8_t place = row;
    uint8_t first = tape_next(&tape);
    uint8_t groups = tape_next(&tape);
    uint8_t shift = tape_next(&tape);
    for (; --groups && row >= first; first += GROUP_ROWS)
        place++;
    return (int16_t)(kernel_get(outputs_in_b, place) - PRESET) >> shift;
}

uint8_t engine_classes(void) { return classes; }

void engine_context_add(uint8_t character) {
    memmove(context, context + 1, context_length - 1);
    context[context_length - 1] = text_lower(character);
}

uint16_t engine_digest(void) { return ~digest; }
