/* A log of things that happened at a cycle, keeping the newest 4096. */
#include "events.h"
#include "chip.h"

#include <inttypes.h>

void events_add(struct events *log, uint16_t what) {
    log->ring[log->total++ % EVENTS_KEPT] = (struct event){chip->cycle, what};
}

void events_print(struct events *log, FILE *to) {
    uint64_t lost = log->total > EVENTS_KEPT ? log->total - EVENTS_KEPT : 0;
    fprintf(to, " lost=%" PRIu64, lost);
    for (uint64_t at = lost; at < log->total; at++) {
        struct event *event = &log->ring[at % EVENTS_KEPT];
        fprintf(to, " %" PRIu64 ":%u", event->cycle, event->what);
    }
    log->total = 0;
}
