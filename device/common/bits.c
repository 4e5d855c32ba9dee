/* A pass over weights in bits: 0 is 0, 10 is 1, 11 is -1; where a layer has doubles, 110 is -1 and
 * 111 is -2. */
#include "bits.h"

#include "image.h"
#include "kernel.h"

static uint8_t byte, mask; /* of the last bit read */

static bool next_bit(void) {
    mask >>= 1;
    if (!mask) {
        mask = 0x80;
        byte = image_next();
    }
    return byte & mask;
}

/* The activation of a sum. */
static uint16_t activate(int16_t sum, uint8_t shift, uint8_t flags) {
    sum >>= shift;
    if (sum < 0)
        return 0;
    if (sum > 255 && flags & LAYER_SATURATE)
        return 255;
    return (uint16_t)sum;
}

bool bits_pass(void) {
    image_seek(image.second);
    uint8_t columns = image.first_places; /* 0 means 256 */
    uint8_t shift = 0, flags = LAYER_COUNTS;
    bool to_b = false;
    for (uint8_t left = image.layers; left; left--) {
        to_b = !to_b;
        uint8_t rows = image_next();
        uint8_t row = 0;
        do {
            uint8_t low = image_next();
            kernel_put(to_b, row, (uint16_t)(image_next() << 8 | low));
        } while (++row != rows);
        bool doubles = image_next();
        mask = 0;
        uint8_t column = 0;
        do {
            uint16_t x = flags & LAYER_COUNTS
                             ? kernel_bucket(column) * INPUT_SCALE
                             : activate((int16_t)kernel_get(!to_b, column), shift, flags);
            row = 0;
            do {
                if (!next_bit())
                    continue;
                uint16_t change = x;
                if (next_bit()) {
                    change = -x;
                    if (doubles && next_bit())
                        change *= 2;
                }
                kernel_put(to_b, row, kernel_get(to_b, row) + change);
            } while (++row != rows);
        } while (++column != columns);
        columns = rows;
        shift = image_next();
        flags = image_next();
    }
    return to_b;
}
