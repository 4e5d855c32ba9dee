/* One reply: from the bytes of a query to text, statistics and digest. Used by frames and by the
 * console alike. */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"

/* Up to max_cycles it is the payload of END. */
typedef struct __attribute__((packed)) {
    uint8_t status; /* STATUS_OK or STATUS_STOPPED; of a stream what it failed with */
    uint8_t length;
    uint8_t passes;
    uint16_t digest;
    uint32_t query_cycles;
    uint32_t first_cycles; /* of the first pass; the query apart */
    uint32_t cycles;       /* of all passes */
    uint32_t max_cycles;   /* of the longest pass */
    char text[MAX_REPLY];
} reply_t;

#define REPLY_END_BYTES offsetof(reply_t, text)

extern reply_t reply; /* the last one, kept until the next */

/* Called after each pass with the length of the text before it; false stops the reply. */
typedef bool (*reply_pass_t)(uint8_t from);

void reply_begin(void);
void reply_query(const uint8_t *bytes, uint8_t count);

/* Makes the reply. Without `act`, actions are not performed and their place reads {}. */
void reply_run(bool act, reply_pass_t each);

#endif
