/* Dense rows of two bits as in dense2.h, with the chip's multiplier instead of branches. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x;
        for (uint16_t left = columns; left; left -= 4) {
            uint8_t byte = NEXT(weights);
            for (uint8_t i = 0; i < 4; i++) {
                acc += (acc_t)((int8_t)(byte << 6) >> 6) * (acc_t)*in++;
                byte >>= 2;
            }
        }
        *sums++ = acc;
    }
}
