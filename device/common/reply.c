/* Makes replies: spells characters, or picks a text and performs its action. */
#include "reply.h"

#include <string.h>

#include "engine.h"
#include "image.h"
#include "near.h"
#include "port.h"
#ifdef TAPE_STREAM
#include "medium.h"
#include "stream.h"
#endif

/* Streams need the stack that this would hold. */
#ifdef TAPE_STREAM
#define APART __attribute__((noinline))
#else
#define APART
#endif

reply_t reply;
static uint32_t started;

void reply_begin(void) {
    memset(&reply, 0, REPLY_END_BYTES);
    engine_query_begin();
}

/* Adds the cycles since `started` to a sum; returns them. */
static __attribute__((noinline)) uint32_t add_lap(uint32_t *sum) {
    uint32_t cycles = port_cycles() - started;
    *sum += cycles;
    return cycles;
}

static __attribute__((noinline)) void start_lap(void) { started = port_cycles(); }

void reply_query(const uint8_t *bytes, uint8_t count) {
    start_lap();
    while (count--)
        engine_query_add(*bytes++);
    add_lap(&reply.query_cycles);
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

static APART void put_reply(uint8_t class, bool act) {
    image_seek(image.replies);
    uint8_t action = image_next();
    for (; class; class --) {
        while (image_next())
            ;
        action = image_next();
    }
    port_value_t number = {0, 0};
    if (act && action != ACTION_NONE)
        number = port_action(action);
    for (uint8_t c; (c = image_next());)
        if (c != VALUE_MARK) {
            put((char)c);
        } else if (act) {
            put_value(number);
        } else {
            put('{');
            put('}');
        }
}

static inline void run(bool act, reply_pass_t each) {
    reply_t *r = &reply;
    NEAR(r);
    start_lap();
    engine_query_end();
    add_lap(&r->query_cycles);

    r->status = STATUS_OK;
    for (bool last = false; !last;) {
        uint8_t from = r->length;
        start_lap();
        uint8_t class = engine_pass();
        if (image.kind == KIND_CHARACTER && class != (uint8_t)(image.classes - 1)) {
            image_seek(image.charset + class);
            char c = (char)image_next();
            put(c);
            engine_context_add((uint8_t)c);
            last = r->length == image.max_reply;
        } else {
            last = true;
        }
        uint32_t cycles = add_lap(&r->cycles);
        if (!r->passes++)
            r->first_cycles = cycles;
        if (cycles > r->max_cycles)
            r->max_cycles = cycles;
        r->digest = engine_digest();
        if (image.kind == KIND_REPLY)
            put_reply(class, act);
        if (!each(from) && !last) {
            r->status = STATUS_STOPPED;
            return;
        }
    }
}

#ifdef TAPE_STREAM

static bool performing;
static reply_pass_t each_pass;

static STREAM_ACTION void run_sound(void) {
    medium_check();
    run(performing, each_pass);
}

void reply_run(bool act, reply_pass_t each) {
    performing = act;
    each_pass = each;
    uint8_t code = stream_try(run_sound);
    if (code != STATUS_OK)
        reply.status = code;
}

#else

void reply_run(bool act, reply_pass_t each) { run(act, each); }

#endif
