/* The model that answers: the one in the store, or if there is none the one in the main memory. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "image.h"
#include "spec.h"
#include "store.h"

/* Whether it lies on a part that comes, goes and fails, so that it is opened for every query. */
#define MODEL_ON_MEDIUM 0

/* A STATUS_... */
static inline uint8_t model_open(void) {
    store_open = true;
    uint8_t status = image_open(IMAGE_MAGIC);
    if (status != STATUS_OK) {
        store_open = false;
        status = image_open(IMAGE_MAGIC);
    }
    return status;
}

/* Puts its name into a frame; false when that fails. */
static inline bool model_put_name(void) {
    image_seek(image.name);
    for (uint8_t c; (c = image_next());)
        frame_byte(c);
    return true;
}

/* SLOT_..., where it lies. */
static inline uint8_t model_slot(void) { return store_open; }

/* FAULT_... behind the last STATUS_MEDIUM. */
static inline uint8_t model_fault(void) { return 0; }

#endif
