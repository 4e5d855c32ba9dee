/* The model image: bytes at any place. */
#include "image.h"

#include "context.h"
#include "stream.h"

#define BUCKETS_OF_LISTS 256

image_t image;

bool image_sound(void) {
    const image_t *i = &image;
    return i->layers && i->kind <= KIND_REPLY && i->max_query <= MAX_QUERY && i->max_reply &&
           i->max_reply <= MAX_REPLY && i->context_length <= CONTEXT_MAX &&
           (i->form != STREAM_LISTS ||
            (i->query_mask < BUCKETS_OF_LISTS && i->context_mask < BUCKETS_OF_LISTS));
}

void image_seek(uint32_t offset) { stream_seek(offset); }

uint8_t image_next(void) { return stream_next(); }
