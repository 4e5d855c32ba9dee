/* The context of a character model. SRAM is short: it is made from the reply's text in every pass.
 */
#include "context.h"

#include "image.h"
#include "reply.h"

void context_hashes(text_hash_t use) {
    uint8_t context[CONTEXT_MAX];
    uint8_t left = image.context_length, at = reply.length;
    while (left)
        context[--left] = at ? text_lower((uint8_t)reply.text[--at]) : ' ';
    text_context(context, image.context_length, use);
}
