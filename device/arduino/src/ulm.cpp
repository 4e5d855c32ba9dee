/* The class over the runtime in C, whose names library.h changes so that none meets the sketch's.
 */
#include "ulm.h"

#include <string.h>

#include "ulm/library.h"

extern "C" {
#include "ulm/engine.h"
#include "ulm/image.h"
#include "ulm/port.h"
#include "ulm/reply.h"
}

#define UNOPENED 0xFF

Ulm ulm;

static uint8_t status = UNOPENED;
static long (*perform)(uint8_t action);
static uint8_t decimals_of_value;

/* Checks the model once: 42 ms at 16 MHz for 24 KB. */
static bool is_open() {
    if (status == UNOPENED)
        status = image_open(IMAGE_MAGIC);
    return status == STATUS_OK;
}

static bool go_on(uint8_t) { return true; }

const char *Ulm::chat(const char *query) {
    size_t length = strlen(query);
    if (length > maxQuery() || !is_open())
        return nullptr;
    reply_begin();
    reply_query((const uint8_t *)query, (uint8_t)length);
    reply_run(true, go_on);
    uint8_t end = reply.length < MAX_REPLY ? reply.length : MAX_REPLY - 1;
    reply.text[end] = '\0';
    return reply.text;
}

uint8_t Ulm::maxQuery() { return is_open() ? image.max_query : 0; }

uint16_t Ulm::digest() { return reply.digest; }

void Ulm::onAction(long (*act)(uint8_t action)) { perform = act; }

void Ulm::decimals(uint8_t count) { decimals_of_value = count; }

port_value_t port_action(uint8_t action) {
    decimals_of_value = 0;
    port_value_t number = {perform ? perform(action) : 0, 0};
    number.decimals = decimals_of_value;
    return number;
}

/* The sketch has the timers; nobody asks for cycles. */
uint32_t port_cycles() { return 0; }
