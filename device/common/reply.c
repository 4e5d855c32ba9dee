/* Makes replies: spells characters, or picks a text and performs its action. */
#include "reply.h"

#include "engine.h"
#include "image.h"
#include "port.h"
#include "tape.h"

reply_t reply;

void reply_begin(void) {
    reply.query_cycles = 0;
    reply.length = 0;
    reply.passes = 0;
    reply.cycles = 0;
    reply.max_cycles = 0;
    engine_query_begin();
}

void reply_query(const uint8_t *bytes, uint8_t count) {
    uint32_t start = port_cycles();
    while (count--)
        engine_query_add(*bytes++);
    reply.query_cycles += port_cycles() - start;
}

static void put(char c) {
    if (reply.length < MAX_REPLY)
        reply.text[reply.length++] = c;
}

/* Writes a decimal number, 0.05 as "0.05". */
static void put_value(port_value_t number) {
    char digits[12];
    uint8_t count = 0;
    uint32_t left = number.value < 0 ? -(uint32_t)number.value : (uint32_t)number.value;
    if (number.value < 0)
        put('-');
    do {
        if (count == number.decimals && count)
            digits[count++] = '.';
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left || count <= number.decimals);
    while (count)
        put(digits[--count]);
}

static void put_reply(uint8_t class, bool act) {
    tape_t tape = tape_at(image_word(image.replies + 2 * class));
    uint8_t action = tape_next(&tape);
    port_value_t number = {0, 0};
    if (act && action != ACTION_NONE)
        number = port_action(action);
    for (uint8_t c; (c = tape_next(&tape));)
        if (c != VALUE_MARK) {
            put((char)c);
        } else if (act) {
            put_value(number);
        } else {
            put('{');
            put('}');
        }
}

void reply_run(bool act, reply_pass_t each) {
    uint32_t start = port_cycles();
    engine_query_end();
    reply.query_cycles += port_cycles() - start;

    reply.status = STATUS_OK;
    for (bool last = false; !last;) {
        uint8_t from = reply.length;
        start = port_cycles();
        uint8_t class = engine_pass();
        if (image.kind == KIND_CHARACTER && class != image.classes - 1) {
            char c = (char)image_byte(image.charset + class);
            put(c);
            engine_context_add((uint8_t)c);
            last = reply.length == image.max_reply;
        } else {
            last = true;
        }
        uint32_t cycles = port_cycles() - start;
        reply.passes++;
        reply.cycles += cycles;
        if (reply.passes == 1)
            reply.first_cycles = cycles;
        if (cycles > reply.max_cycles)
            reply.max_cycles = cycles;
        reply.digest = engine_digest();
        if (image.kind == KIND_REPLY)
            put_reply(class, act);
        if (!each(from) && !last) {
            reply.status = STATUS_STOPPED;
            return;
        }
    }
}
