/* What a bench wants to know: the deepest stack and the markers that firmware writes to GPIOR0. */
#ifndef ULM_COUNTERS_H
#define ULM_COUNTERS_H

#include "events.h"

#include <stdint.h>

extern struct events counters_markers; /* what = the byte written to GPIOR0 */

void counters_create(void);

/* Lowest stack pointer since the start or the last counters_forget_stack(). */
uint16_t counters_lowest_stack(void);
void counters_forget_stack(void);

#endif
