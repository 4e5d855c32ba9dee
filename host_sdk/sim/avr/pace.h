/* How simulated time keeps to the wall clock. */
#ifndef ULM_PACE_H
#define ULM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* False when there is no such mode: real, warp, fast. */
bool pace_create(const char *mode, uint32_t clock_hz);

/* The host did something: whatever the chip does next may run ahead of the wall clock again. */
void pace_host_acted(void);

/* After a slice of simulated time: nanoseconds to wait before the next one, 0 for none. */
int64_t pace_after(uint64_t cycles, bool chip_waited);

int64_t pace_now_ns(void);

#endif
