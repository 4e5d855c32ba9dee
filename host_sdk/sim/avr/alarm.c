/* What is to happen when so many more bytes have gone over SPI: a moment that does not depend on
 * the host's speed. */
#include "alarm.h"
#include "chip.h"
#include "part.h"
#include "socket.h"
#include "spi.h"

#include <string.h>

static bool resets, due;

bool alarm_set(uint64_t bytes, const char *action) {
    resets = !strcmp(action, "reset");
    if (!resets && strcmp(action, "remove"))
        return false;
    spi_alarm = bytes ? spi_counters.bytes + bytes : 0;
    return true;
}

void alarm_ring(void) {
    due = resets;
    if (resets) {
        part_off();
        chip_stop();
    } else {
        socket_follow("");
        part_remove();
    }
}

bool alarm_wants_reset(void) {
    bool wanted = due;
    due = false;
    return wanted;
}
