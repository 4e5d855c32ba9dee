/* The model that answers: the newest on the card or chip. It takes the place of avr_native/model.h.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "medium.h"
#include "spec.h"
#include "stream.h"

/* Whether it lies on a part that comes, goes and fails, so that it is opened for every query. */
#define MODEL_ON_MEDIUM 1

/* A STATUS_... */
static inline uint8_t model_open(void) { return medium_open(); }

/* Puts its name into a frame; false when that fails. */
bool model_put_name(void);

/* SLOT_..., where it lies. */
static inline uint8_t model_slot(void) { return SLOT_MAIN; }

/* FAULT_... behind the last STATUS_MEDIUM. */
static inline uint8_t model_fault(void) { return stream_fault; }

#endif
