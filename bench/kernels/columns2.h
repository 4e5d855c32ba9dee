/* Dense columns of two bits a weight: a column whose input is zero is skipped. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    memset(sums, 0, rows * sizeof *sums);
    for (; columns; columns--) {
        X value = *x++;
        if (!value) {
            weights += (rows + 3) / 4;
            continue;
        }
        acc_t *sum = sums, *end = sums + rows;
        while (sum < end) {
            uint8_t byte = NEXT(weights);
            for (uint8_t i = 0; i < 4 && sum < end; i++, sum++) {
                if (byte & 1)
                    *sum += value;
                if (byte & 2)
                    *sum -= 2 * (acc_t)value;
                byte >>= 2;
            }
        }
    }
}
