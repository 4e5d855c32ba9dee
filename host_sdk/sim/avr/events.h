/* A log of things that happened at a cycle, keeping the newest 4096. */
#ifndef ULM_EVENTS_H
#define ULM_EVENTS_H

#include <stdint.h>
#include <stdio.h>

enum { EVENTS_KEPT = 4096 };

struct events {
    struct event {
        uint64_t cycle;
        uint16_t what;
    } ring[EVENTS_KEPT];
    uint64_t total; /* since the log was last printed */
};

/* Logs `what` at the chip's current cycle. */
void events_add(struct events *log, uint16_t what);

/* Prints " lost=N cycle:what cycle:what ...", oldest first, and empties the log. */
void events_print(struct events *log, FILE *to);

#endif
