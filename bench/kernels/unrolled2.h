/* Dense rows of two bits as in dense2.h; the four weights of a byte are written out, and each of
 * the four values of a weight does only what it needs. */
#ifndef STEP
#define STEP(bit)                                                                                  \
    if (byte & (1 << (bit))) {                                                                     \
        if (byte & (2 << (bit)))                                                                   \
            acc -= in[(bit) / 2];                                                                  \
        else                                                                                       \
            acc += in[(bit) / 2];                                                                  \
    } else if (byte & (2 << (bit))) {                                                              \
        acc -= in[(bit) / 2];                                                                      \
        acc -= in[(bit) / 2];                                                                      \
    }
#endif
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        acc_t acc = 0;
        const X *in = x;
        for (const X *end = x + columns; in < end; in += 4) {
            uint8_t byte = NEXT(weights);
            STEP(0)
            STEP(2)
            STEP(4)
            STEP(6)
        }
        *sums++ = acc;
    }
}
