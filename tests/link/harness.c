/* frame.c and text.c as a library for Python: what they send and find is collected in buffers. */
#include <string.h>

#include "frame.h"
#include "port.h"
#include "text.h"

uint8_t sent[4096];
int sent_count;
uint16_t hashes[1024];
int hash_count;

void port_send(uint8_t byte) { sent[sent_count++] = byte; }

static void keep(uint16_t hash) { hashes[hash_count++] = hash; }

int harness_encode(uint8_t type, uint8_t seq, const uint8_t *payload, uint8_t count) {
    sent_count = 0;
    frame_begin(type, seq);
    frame_bytes(payload, count);
    frame_end();
    return sent_count;
}

/* Each frame found: its payload's length, type, seq, payload. */
int harness_decode(const uint8_t *bytes, int count, uint8_t *out) {
    uint8_t *at = out;
    for (int i = 0; i < count; i++) {
        if (frame_receive(bytes[i]) != FRAME_COMPLETE)
            continue;
        *at++ = frame_in_length;
        memcpy(at, &frame_in, 2 + frame_in_length);
        at += 2 + frame_in_length;
    }
    return (int)(at - out);
}

void harness_reset(void) { frame_abandon(); }

int harness_query(const uint8_t *bytes, int count, int features) {
    hash_count = 0;
    text_query_begin((uint8_t)features);
    for (int i = 0; i < count; i++)
        text_query_add(bytes[i], keep);
    text_query_add(' ', keep);
    return hash_count;
}

/* A context is lower case already when the engine keeps it. */
int harness_context(const uint8_t *bytes, int count) {
    uint8_t context[32];
    for (int i = 0; i < count; i++)
        context[i] = text_lower(bytes[i]);
    hash_count = 0;
    text_context(context, (uint8_t)count, keep);
    return hash_count;
}
