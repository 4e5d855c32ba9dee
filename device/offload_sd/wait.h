/* Every wait has an end. */
#ifndef WAIT_H
#define WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "port.h"

/* Whether so much time has passed since port_cycles() was `start`. */
static inline bool late(uint32_t start, uint16_t ms) {
    return port_cycles() - start > ms * (F_CPU / 1000);
}

#endif
