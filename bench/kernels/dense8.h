/* Dense rows, one signed byte a weight. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x;
        for (uint16_t left = columns; left; left--)
            acc += (acc_t)(int8_t)NEXT(weights) * (acc_t)*in++;
        *sums++ = acc;
    }
}
