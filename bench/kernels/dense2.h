/* Dense rows, two bits a weight, four weights a byte from the low bits up: 0, +1, -2, -1. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x;
        for (uint16_t left = columns; left; left -= 4) {
            uint8_t byte = NEXT(weights);
            for (uint8_t i = 0; i < 4; i++) {
                X value = *in++;
                if (byte & 1)
                    acc += value;
                if (byte & 2)
                    acc -= 2 * (acc_t)value;
                byte >>= 2;
            }
        }
        *sums++ = acc;
    }
}
