/* The header of a stream image, as docs/image-stream.md has it, and bytes at any place. It takes
 * the place of common/image.h (Makefile). */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"

typedef struct __attribute__((packed)) {
    uint32_t magic;
    uint32_t sequence;
    uint32_t length;
    uint16_t check;
    uint16_t ones;
    uint8_t abi;
    uint8_t form;
    uint8_t kind;
    uint8_t layers;
    uint32_t model_crc;
    uint8_t max_query;
    uint8_t max_reply;
    uint8_t classes; /* 0 means 256 */
    uint8_t context_length;
    uint16_t query_mask;
    uint16_t context_mask;
    uint8_t features; /* of queries: QUERY_... */
    uint8_t kept;     /* in rows: there is room for the query's share of the first sums */
    uint16_t name;
    uint32_t charset;
    uint16_t replies;
    uint16_t zeros;
    uint32_t first; /* where the first layer's columns begin */
    uint32_t pass;  /* where a pass begins */
    uint32_t stream_bytes;
} image_t;

extern image_t image; /* valid after medium_open() */

/* Whether the engine can do what the header says. Shapes of layers come with the stream. */
bool image_sound(void);

/* Bytes from an offset on. */
void image_seek(uint32_t offset);
uint8_t image_next(void);

#endif
