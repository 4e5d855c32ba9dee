/* The network on a stream (docs/semantics.md, docs/image-stream.md): lists or rows, then a choice.
 */
#include "engine.h"

#include "crc.h"
#include "image.h"
#include "lists.h"
#include "rows.h"
#include "spec.h"
#include "text.h"

static uint16_t digest;
static const int16_t *outputs;

void engine_query_begin(void) {
    digest = CRC_START;
    if (image.form == STREAM_ROWS) {
        rows_query_begin();
        return;
    }
    text_query_begin(image.features);
    lists_query_begin();
}

void engine_query_add(uint8_t byte) {
    if (image.form == STREAM_ROWS)
        rows_query_add(byte);
    else
        text_query_add(byte, lists_query_count);
}

void engine_query_end(void) {
    if (image.form == STREAM_ROWS) {
        rows_query_end();
        return;
    }
    engine_query_add(' ');
    lists_query_end();
}

uint8_t engine_pass(void) {
    outputs = image.form == STREAM_ROWS ? rows_pass() : lists_pass();
    const int16_t *next = outputs;
    uint16_t crc = digest;
    int16_t most = *next;
    uint8_t best = 0, row = 0;
    do {
        int16_t output = *next++;
        if (output > most) {
            most = output;
            best = row;
        }
        crc = crc_update(crc, (uint8_t)output);
        crc = crc_update(crc, (uint8_t)((uint16_t)output >> 8));
    } while (++row != image.classes);
    digest = crc;
    return best;
}

int16_t engine_output(uint8_t row) { return outputs[row]; }

void engine_context_add(uint8_t character) {
    (void)character; /* context.c has it from the reply */
}

uint16_t engine_digest(void) { return ~digest; }
