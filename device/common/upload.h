/* A model that is sent while the board runs, into the store of the tape (docs/protocol.md). */
#ifndef UPLOAD_H
#define UPLOAD_H

#include <stdint.h>

/* Requests by their payload. Each may come twice; they return a STATUS_... From begin to a commit
 * that is OK the store holds no model; where there are two places, the old model stays. */
uint8_t upload_begin(const uint8_t *payload, uint8_t count);
uint8_t upload_data(const uint8_t *payload, uint8_t count);
uint8_t upload_commit(void);

/* With MODEL_ON_MEDIUM: the value of their ACK; the largest image; and what a reply does first: it
 * needs the memory in which an upload keeps what is no whole block. */
extern uint16_t upload_value;
uint32_t upload_capacity(void);
void upload_pause(void);

#endif
