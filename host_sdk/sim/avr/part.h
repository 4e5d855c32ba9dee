/* The part on the SPI bus: an SD card in its socket, or a flash chip; its supply, its chip select,
 * its file, and what it has counted.
 *
 * Wiring: chip select D10 (low), supply through a P-channel MOSFET at D8 (low is on; a resistor
 * switches it off while nobody drives the pin).
 */
#ifndef ULM_PART_H
#define ULM_PART_H

#include "memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a kind of part is. Each function runs at the chip's present cycle. */
struct part_kind {
    const char *name;
    uint32_t wear_bytes; /* size of what wears out as one: a sector, a block */

    /* NULL, or a sentence that says which word it does not know. */
    const char *(*configure)(const char *model, const char *latency);

    /* NULL, or why a file of this size cannot be its memory. */
    const char *(*fits)(uint64_t size);

    /* Supply comes or goes. What was being written when it goes is left half done. */
    void (*power)(bool on);

    /* Chip select; `whole` is false when it cuts a byte. */
    void (*select)(bool selected, bool whole);

    /* One byte in, one out: while selected, and while it is not. */
    uint8_t (*exchange)(uint8_t in);
    uint8_t (*pass_by)(uint8_t in);
};

extern const struct part_kind part_sd_card, part_w25q;

struct part_counters {
    uint64_t powered; /* cycles with supply; of those: */
    uint64_t active;  /* selected and not writing */
    uint64_t writing; /* programming, erasing */
    uint64_t asleep;  /* in the deepest sleep it has */
    uint64_t backfed; /* without supply, but fed through its chip select */
    uint64_t reads;   /* read commands; blocks of a card */
    uint64_t writes;  /* pages programmed; blocks written */
    uint64_t erases;  /* of any size */
    uint64_t ignored; /* commands that it did not obey */
};

extern struct part_counters part_counters; /* for the kinds to count in */
extern struct memory part_memory;

/* What the bus does with a byte now. */
extern uint8_t (*part_exchange)(uint8_t in);

/* Faults on purpose; blocks are 512 bytes, -1 for none. */
struct part_faults {
    bool silent;         /* answers nothing */
    bool busy;           /* never ready again */
    int64_t read_block;  /* cannot be read */
    int64_t write_block; /* cannot be written */
    int64_t flip_block;  /* read with one bit wrong */
};

extern struct part_faults part_faults;

/* Puts a part on the bus. NULL, or why not, as a sentence. `switched`: its supply hangs on D8. */
const char *part_create(const char *kind, const char *model, const char *latency, uint32_t seed,
                        bool switched);

/* Connects its file, or takes it away: a card is put in or pulled out. NULL, or why not. */
const char *part_insert(const char *path);
void part_remove(void);

/* A fault by name: silent, busy, read, write, flip, none. False when there is none of that name. */
bool part_fault(const char *name, int64_t block);

/* What was counted until now. */
const struct part_counters *part_count(void);
void part_print_wear(FILE *to); /* " unit:count unit:count ..." of units that wore */

/* The supply of the whole board goes. */
void part_off(void);

/* ---- for the kinds ---- */

/* Occupied with writing from now on, for so many cycles. */
void part_write_for(uint64_t cycles);
bool part_writing(void);
void part_sleep(bool asleep);

uint64_t part_cycles(uint32_t us);
uint32_t part_random(uint32_t below);

/* Counts wear of the unit that holds an address. */
void part_wear(uint64_t address);

#endif
