/* Sparse column times activation, in portable C. */
#include "column.h"

#include <stdbool.h>

#include "spec.h"

/* Nibble s moves the row pointer by s - 1 and adds; 0 moves it far, adds nothing, and behind the
 * last row ends the list. Here it comes doubled, which makes it a distance in bytes. */
#define STEP(doubled)                                                                              \
    if (doubled) {                                                                                 \
        row = (uint16_t *)((uint8_t *)row + (uint8_t)((doubled)-2));                               \
        *row += x;                                                                                 \
    } else {                                                                                       \
        row += ESCAPE_GAP;                                                                         \
        if ((uintptr_t)row >= end) {                                                               \
            if (subtracting)                                                                       \
                return tape;                                                                       \
            subtracting = true;                                                                    \
            x = -x;                                                                                \
            row = (uint16_t *)sums;                                                                \
        }                                                                                          \
    }

tape_t column_add(tape_t tape, int16_t *sums, uint16_t rows, int16_t activation) {
    uint16_t *row = (uint16_t *)sums;
    uintptr_t end = (uintptr_t)(sums + rows);
    uint16_t x = activation;
    bool subtracting = false;
    for (;;) {
        uint8_t pair = tape_next(&tape);
        uint8_t doubled = (uint8_t)(pair << 1) & 0x1E;
        STEP(doubled)
        doubled = pair >> 3 & 0x1E;
        STEP(doubled)
    }
}
