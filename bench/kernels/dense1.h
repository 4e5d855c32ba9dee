/* Dense rows, one bit a weight, eight weights a byte from the low bit up: 1 adds, 0 subtracts. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x;
        for (uint16_t left = columns; left; left -= 8) {
            uint8_t byte = NEXT(weights);
            for (uint8_t i = 0; i < 8; i++) {
                X value = *in++;
                if (byte & 1)
                    acc += value;
                else
                    acc -= value;
                byte >>= 1;
            }
        }
        *sums++ = acc;
    }
}
