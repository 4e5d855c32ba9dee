/* The dot product of 2-bit weights and activations of one byte: a table of 256 code stubs, one for
 * each byte of four weights, in which weights that are 0 take no time: 15 cycles a byte, 4 for each
 * 1 or -1 and 6 for a -2. From one write of SPDR to the next are 18 cycles at least.
 *
 * A stub has room for 16 words. Those below 128 go back to the loop in front of the table, the
 * others to the same loop behind it: RJMP reaches no further. What has no room (two weights of -2
 * and two of -1 or 1, and more) leaves its last weight to the loop's entry. */
#include <avr/io.h>

#define DATA    _SFR_IO_ADDR(SPDR)

#define zero    r19
#define w       r18 /* byte of weights: w + 2, the first one in the lowest bits */
#define x       r22 /* activation, at Y */
#define sum_l   r24
#define sum_h   r25
#define count_l r20
#define count_h r21
#define size    r23 /* of a stub in words */
#define ones    r26

#define STUB_WORDS 16
#define PAGE_BYTES 512 /* of 256 words: the table begins with one, so the low byte needs no addition */
#define FRONT_BYTES 34 /* code between the start and the table */

        .macro  PLUS at
        ldd     x, Y + \at
        add     sum_l, x
        adc     sum_h, zero
        .endm

        .macro  MINUS at
        ldd     x, Y + \at
        sub     sum_l, x
        sbc     sum_h, zero
        .endm

; Weight `at` of stub i.
        .macro  FIELD at
        .if     (i >> (2 * \at)) & 3 == 3
        PLUS    \at
        .elseif (i >> (2 * \at)) & 3 == 1
        MINUS   \at
        .elseif (i >> (2 * \at)) & 3 == 0
        MINUS   \at
        sub     sum_l, x
        sbc     sum_h, zero
        .endif
        .endm

; Words that a weight takes; a comparison that holds is -1.
#define WORDS(at) (((i >> (2 * at)) & 3) == 0) * -5 + (((i >> (2 * at)) & 3) == 1) * -3 + \
        (((i >> (2 * at)) & 3) == 3) * -3

        .macro  STUB back, minus2, minus1, plus1
        .set    words, WORDS(0) + WORDS(1) + WORDS(2) + WORDS(3)
        FIELD   0
        FIELD   1
        FIELD   2
        .if     words < STUB_WORDS
        FIELD   3
        .if     words == 0      ; all weights 0
        rjmp    .+0
        nop
        .endif
        .if     i == 127        ; by way of its neighbour, for the loop is too far
        rjmp    near
        .else
        .if     i == 126
near:
        .endif
        rjmp    \back
        .endif
        .elseif i >> 6 == 0
        rjmp    \minus2
        .elseif i >> 6 == 1
        rjmp    \minus1
        .else
        rjmp    \plus1
        .endif
        .set    i, i + 1
        .org    PAGE_BYTES + 2 * STUB_WORDS * i ; which refuses a stub that is too long
        .endm

        .macro  LOOP            ; 11 cycles, and 4 into a stub and out of it
        adiw    YL, 4
        subi    count_l, 1
        sbci    count_h, 0
        breq    9f
        in      w, DATA
        out     DATA, ones
        mul     w, size
        movw    ZL, r0
        subi    ZH, hi8(-(pm(stubs)))
        ijmp
9:
        .endm

        .section .text.rows_dot2, "ax", @progbits
        .balign PAGE_BYTES
        .global rows_dot2
rows_dot2:
; enter: r25:r24 sum, Y activations, r21:r20 bytes
; exit:  r25:r24 sum
; uses:  what a C function may, Y
        clr     zero
        ldi     size, STUB_WORDS
        ldi     ones, 0xFF
        subi    count_l, -1
        sbci    count_h, -1
        sbiw    YL, 4
        rjmp    front
done:   clr     r1
        ret
        .org    PAGE_BYTES - FRONT_BYTES
front_minus2:
        MINUS   3
front_minus1:
        MINUS   3
front:  LOOP
        rjmp    done
        .org    PAGE_BYTES
stubs:
        .set    i, 0
        .rept   128
        STUB    front, front_minus2, front_minus1, 0
        .endr
        .rept   128
        STUB    rear, 0, 0, rear_plus1
        .endr
rear_plus1:
        PLUS    3
rear:   LOOP
        clr     r1
        ret
