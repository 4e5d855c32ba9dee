/* Dense rows, five weights of three values a byte: the byte is a fraction in base 3, so three times
 * it is the next digit (0 for -1, 1 for 0, 2 for +1) in the high byte and what is left in the low
 * one. */
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x, *end = x + columns;
        while (in < end) {
            uint8_t fraction = NEXT(weights);
            for (uint8_t i = 0; i < 5 && in < end; i++) {
                uint16_t digits = fraction * 3u;
                X value = *in++;
                if (digits >> 8 == 0)
                    acc -= value;
                else if (digits >> 8 == 2)
                    acc += value;
                fraction = (uint8_t)digits;
            }
        }
        *sums++ = acc;
    }
}
