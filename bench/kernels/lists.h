/* Rows as lists of the columns whose weight is not zero: how many to add, those, how many to
 * subtract, those. A weight of -2 is listed twice. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    (void)columns;
    for (; rows; rows--) {
        acc_t acc = 0;
        for (uint8_t left = NEXT(weights); left; left--)
            acc += x[NEXT(weights)];
        for (uint8_t left = NEXT(weights); left; left--)
            acc -= x[NEXT(weights)];
        *sums++ = acc;
    }
}
