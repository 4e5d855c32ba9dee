/* Columns as lists of the rows whose weight is not zero: how many to add to, those, how many to
 * subtract from, those. A column whose input is zero is skipped. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    memset(sums, 0, rows * sizeof *sums);
    for (; columns; columns--) {
        X value = *x++;
        if (!value) {
            for (uint8_t list = 0; list < 2; list++) {
                uint8_t length = NEXT(weights);
                weights += length;
            }
            continue;
        }
        for (uint8_t left = NEXT(weights); left; left--)
            sums[NEXT(weights)] += value;
        for (uint8_t left = NEXT(weights); left; left--)
            sums[NEXT(weights)] -= value;
    }
}
