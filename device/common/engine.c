/* Sparse integer network on a tape (docs/semantics.md, docs/image.md).
 *
 * The first layer is counted a byte a row. Its query half is the same in every pass of a character
 * model and waits in the kernel's cache; the sums of a reply model start from it. Small reply
 * models count their buckets instead, and the first layer is pushed like every other. */
#include "engine.h"

#include <string.h>

#include "crc.h"
#include "image.h"
#include "kernel.h"
#include "spec.h"
#include "tape.h"
#include "text.h"
#ifdef TAPE_STORE
#include "bits.h"
#endif

#define CONTEXT_MAX 32
#define FOLD_EVERY 60 /* columns of weights from -2 to 1 that a byte can count */

static uint8_t context[CONTEXT_MAX];
static uint16_t digest;
static uint8_t unfolded; /* columns in the counts */

static bool outputs_in_b; /* of the finished last layer */

static void count_query(uint16_t hash) {
    kernel_count(hash & image.query_mask);
    if (image.form == FORM_TABLE && ++unfolded == FOLD_EVERY) {
        kernel_fold();
        unfolded = 0;
    }
}

void engine_query_begin(void) {
    kernel_clear();
    memset(context, ' ', sizeof context);
    digest = CRC_START;
    unfolded = 0;
    text_query_begin(image.features);
}

void engine_query_add(uint8_t byte) { text_query_add(byte, count_query); }

void engine_query_end(void) {
    engine_query_add(' ');
    if (image.form == FORM_TABLE)
        kernel_begin();
}

uint8_t engine_pass(void) {
    if (image.kind == KIND_CHARACTER)
        kernel_context(context);
#ifdef TAPE_STORE
    if (image.form == FORM_BITS)
        outputs_in_b = bits_pass();
    else
#endif
        outputs_in_b = kernel_push(tape_at(image.second), image.layers - 1);
    return kernel_choose(outputs_in_b, &digest);
}

int16_t engine_output(uint8_t row) {
    uint8_t place = row;
    uint8_t first = image.output_first;
    for (uint8_t groups = image.output_groups; --groups && row >= first; first += GROUP_ROWS)
        place++;
    return (int16_t)(kernel_get(outputs_in_b, place) - PRESET) >> image.output_shift;
}

void engine_context_add(uint8_t character) {
    uint8_t last = image.context_length - 1;
    for (uint8_t at = 0; at < last; at++)
        context[at] = context[at + 1];
    context[last] = text_lower(character);
}

uint16_t engine_digest(void) { return ~digest; }
