/* The card or chip: power, slots for images, and which of them answers. */
#ifndef MEDIUM_H
#define MEDIUM_H

#include <stdbool.h>
#include <stdint.h>

/* A place for an image, in blocks of 512 bytes. */
typedef struct {
    uint32_t block;
    uint32_t blocks;
} slot_t;

#define SLOTS 2
#define NO_SLOT 0xFF

extern slot_t slots[SLOTS];
extern uint8_t slot_count;     /* 1: nothing can be uploaded */
extern uint8_t slot_current;   /* of the open image, or NO_SLOT */
extern uint32_t slot_sequence; /* of the newest image */

/* What sd.c and w25q.c give; all but the last two leave through stream_exit when they fail. */

/* Powers the part and initialises it; whether that was to be done. */
bool medium_wake(void);

/* Fills `slots`. */
void medium_mount(void);

extern uint16_t medium_id; /* changes with the card */

/* What is behind wrong data: FAULT_READ, or that the part is gone. */
uint8_t medium_fault(void);

/* Takes the part's power away; quick when that is done already. */
void medium_sleep(void);

/* What slots.c makes of it. */

/* Wakes the medium and finds its slots, where that is not done yet. Leaves through stream_exit. */
void slots_mount(void);

/* Wakes the medium and opens the newest image: a STATUS_... */
uint8_t medium_open(void);

/* The same without opening: STATUS_OK, STATUS_NO_MODEL or STATUS_BAD_MODEL. Leaves through
 * stream_exit when the medium fails. */
uint8_t slots_scan(void);

/* Checks the whole open image, unless that has been done. Leaves through stream_exit. */
void medium_check(void);

/* Reads the header of a slot into `image`; whether an image lies there. */
bool slot_read(uint8_t slot);

/* CRC-16/X-25 of the image at stream_base, as its header has it. */
uint16_t slot_crc(uint32_t length);

#endif
