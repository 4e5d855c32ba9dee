/* How simulated time keeps to the wall clock.
 *
 * Simulated time runs free of the wall clock for a while after each act of the host, then keeps to
 * it, so a forgotten board does not occupy a processor for ever. How long it runs free depends on
 * what the chip does: waiting for the host (asleep, or polling the UART with nothing on the line),
 * or anything else.
 *
 *   real  never                          the board behaves as on the desk
 *   warp  busy 1000 s, waiting never     computing and transfers at full speed, time-outs at their
 * real length fast  busy 1000 s, waiting 2 s       a bootloader's time-out is over at once
 */
#include "pace.h"

#include <string.h>
#include <time.h>

static const struct mode {
    const char *name;
    uint64_t busy_s, waiting_s;
} MODES[] = {{"real", 0, 0}, {"warp", 1000, 0}, {"fast", 1000, 2}};

static const int64_t LATE_NS =
    20000000; /* a host that falls behind further than this is not caught up with */

static const struct mode *mode;
static uint64_t hz, busy, waited; /* cycles since the host acted */
static int64_t deadline;

int64_t pace_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

bool pace_create(const char *name, uint32_t clock_hz) {
    hz = clock_hz;
    for (mode = MODES; mode < MODES + sizeof MODES / sizeof *MODES; mode++)
        if (!strcmp(mode->name, name))
            return true;
    return false;
}

void pace_host_acted(void) { busy = waited = 0; }

int64_t pace_after(uint64_t cycles, bool chip_waited) {
    *(chip_waited ? &waited : &busy) += cycles;
    int64_t now = pace_now_ns();
    if (chip_waited ? waited < mode->waiting_s * hz : busy < mode->busy_s * hz) {
        deadline = now;
        return 0;
    }
    deadline += cycles * 1000000000 / hz;
    if (deadline < now - LATE_NS)
        deadline = now;
    return deadline > now ? deadline - now : 0;
}
