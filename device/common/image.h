/* The model image: its header in SRAM, as docs/image.md has it, and bytes at any place. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

#include "spec.h"

typedef struct __attribute__((packed)) {
    uint16_t magic;
    uint8_t abi;
    uint8_t kind;
    uint16_t length;
    uint16_t check;
    uint32_t model_crc;
    uint8_t layers;
    uint8_t context_length;
    uint16_t query_mask;
    uint16_t context_mask;
    uint8_t max_query;
    uint8_t max_reply;
    uint8_t classes;
    uint8_t zero;
    uint8_t floor;
    uint8_t lift;
    uint8_t first_places; /* 0 means 256 */
    uint8_t features;     /* of queries: QUERY_... */
    uint8_t form;         /* FORM_... */
    uint8_t output_first; /* of the last layer: rows of its first group, groups, shift */
    uint8_t output_groups;
    uint8_t output_shift;
    uint16_t charset;
    uint16_t replies;
    uint16_t name;
    uint16_t tape;
    uint16_t table;
    uint16_t second;
} image_t;

extern image_t image; /* valid after image_open() */

/* Reads the header and checks the image, which should begin with `magic`: a STATUS_... */
uint8_t image_open(uint16_t magic);

/* Bytes from an offset on. */
void image_seek(uint16_t offset);
uint8_t image_next(void);

#endif
