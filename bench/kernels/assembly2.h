/* Dense rows of two bits as in dense2.h, a row at a time in assembly; 16-bit sums only.
 *
 * An input is loaded only for a weight that is not zero. Cycles per weight: 6 for 0; 10 for +1, 11
 * for -1, 13 for -2 with 16-bit inputs, two less with counts. Four weights share 9 for their byte
 * and the loop. */
#ifndef WEIGHT
#define LOAD(place)                                                                                \
    "    ldd %A[value], %a[in]+" #place "*(1+%[wide])\n"                                           \
    ".if %[wide]\n"                                                                                \
    "    ldd %B[value], %a[in]+" #place "*2+1\n"                                                   \
    ".endif\n"
#define WEIGHT(place, low, high)                                                                   \
    "    sbrs %[byte], " #low "\n"                                                                 \
    "    rjmp 2f\n" LOAD(place) "    sbrc %[byte], " #high "\n"                                    \
                                "    rjmp 3f\n"                                                    \
                                "    add %A[acc], %A[value]\n"                                     \
                                "    adc %B[acc], %B[value]\n"                                     \
                                "    rjmp 4f\n"                                                    \
                                "2:  sbrs %[byte], " #high "\n"                                    \
                                "    rjmp 4f\n" LOAD(place) "    sub %A[acc], %A[value]\n"         \
                                                            "    sbc %B[acc], %B[value]\n"         \
                                                            "3:  sub %A[acc], %A[value]\n"         \
                                                            "    sbc %B[acc], %B[value]\n"         \
                                                            "4:\n"
#endif
static ALONE void MULTIPLY(weights_t weights, const X *x, uint16_t columns, acc_t *sums,
                           uint16_t rows) {
    for (; rows; rows--) {
        uint16_t acc = 0, value = 0, quads = columns / 4;
        uint8_t byte;
        const X *in = x;
        /* clang-format off */
        __asm__ volatile(
            "1:  lpm %[byte], %a[weights]+\n"
            WEIGHT(0, 0, 1)
            WEIGHT(1, 2, 3)
            WEIGHT(2, 4, 5)
            WEIGHT(3, 6, 7)
            "    adiw %[in], 4*(1+%[wide])\n"
            "    sbiw %[quads], 1\n"
            "    breq 5f\n"
            "    rjmp 1b\n"
            "5:\n"
            : [acc] "+r"(acc), [value] "+r"(value), [byte] "=&r"(byte), [quads] "+w"(quads),
              [weights] "+z"(weights), [in] "+y"(in)
            : [wide] "n"(sizeof(X) - 1)
            : "memory");
        /* clang-format on */
        *sums++ = acc;
    }
}
