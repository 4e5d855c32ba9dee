/* Rows and columns of weights taken from the bus: 18 cycles at least from one write of SPDR to the
 * next. The sum wraps modulo 2^16. */
#include <avr/io.h>

#define DATA    _SFR_IO_ADDR(SPDR)

#define sum_l   r24
#define sum_h   r25
#define count_l r20
#define count_h r21
#define kind    r18
#define w       r18 /* byte of weights */
#define v       r19 /* one weight */
#define xl      r22 /* activation */
#define xh      r23
#define ones    r31
#define sign    r23 /* of v, in columns */

        .macro  TAKE
        in      w, DATA
        out     DATA, ones
        .endm

        .macro  COUNT to        ; 4 cycles
        subi    count_l, 1
        sbci    count_h, 0
        brne    \to
        .endm

; Weight v, signed, and the activation at Y: 8 cycles.
        .macro  NARROW
        ld      xl, Y+
        mulsu   v, xl
        add     sum_l, r0
        adc     sum_h, r1
        .endm

; The same for an activation of two bytes: 13 cycles.
        .macro  WIDE
        ld      xl, Y+
        ld      xh, Y+
        mulsu   v, xl
        add     sum_l, r0
        adc     sum_h, r1
        mul     v, xh
        add     sum_h, r0
        .endm

; Both weights of four bits: w + 8, the low one first.
        .macro  NIBBLES each
        mov     v, w
        andi    v, 15
        subi    v, 8
        \each
        swap    w
        mov     v, w
        andi    v, 15
        subi    v, 8
        \each
        .endm

; Weight `at` of four of two bits, w + 2, and its activation of two bytes: 5 to 12 cycles.
        .macro  FIELD at
        sbrs    w, 2 * \at + 1
        rjmp    2f
        sbrs    w, 2 * \at
        rjmp    4f
        ldd     xl, Y + (2 * \at)
        ldd     xh, Y + (2 * \at + 1)
        add     sum_l, xl
        adc     sum_h, xh
        rjmp    4f
2:      ldd     xl, Y + (2 * \at)
        ldd     xh, Y + (2 * \at + 1)
        sbrc    w, 2 * \at
        rjmp    3f
        sub     sum_l, xl
        sbc     sum_h, xh
3:      sub     sum_l, xl
        sbc     sum_h, xh
4:
        .endm

        .section .text.rows_dot, "ax", @progbits
        .global rows_dot
rows_dot:
; enter: r25:r24 sum, r23:r22 activations, r21:r20 bytes, r18 bits | wide
; exit:  r25:r24 sum
; uses:  what a C function may
        push    YL
        push    YH
        movw    YL, r22
        ldi     ones, 0xFF
        sbrc    kind, 3
        rjmp    dot8
        sbrc    kind, 2
        rjmp    dot4
        sbrc    kind, 0
        rjmp    dot2_wide
        call    rows_dot2
        rjmp    done
dot2_wide:
1:      TAKE
        FIELD   0
        FIELD   1
        FIELD   2
        FIELD   3
        adiw    YL, 8
        COUNT   2f
        rjmp    done
2:      rjmp    1b
dot4:   sbrc    kind, 0
        rjmp    dot4_wide
1:      TAKE                    ; 29 cycles
        NIBBLES NARROW
        COUNT   1b
        rjmp    done
dot4_wide:
1:      TAKE                    ; 39 cycles
        NIBBLES WIDE
        COUNT   1b
        rjmp    done
dot8:   sbrc    kind, 0
        rjmp    dot8_wide
1:      in      v, DATA         ; 18 cycles
        out     DATA, ones
        NARROW
        rjmp    .+0
        rjmp    .+0
        rjmp    .+0
        COUNT   1b
        rjmp    done
dot8_wide:
1:      in      v, DATA         ; 18 cycles
        out     DATA, ones
        WIDE
        nop
        COUNT   1b
done:   clr     r1
        pop     YH
        pop     YL
        ret

; Sum Z at Y + 2 * at.
        .macro  LOAD at
        ldd     ZL, Y + (2 * \at)
        ldd     ZH, Y + (2 * \at + 1)
        .endm

        .macro  STORE at
        std     Y + (2 * \at), ZL
        std     Y + (2 * \at + 1), ZH
        .endm

; Adds v, signed, to the sum at Y + 2 * at: 13 cycles.
        .macro  SUM at
        LOAD    \at
        mov     sign, v
        lsl     sign
        sbc     sign, sign
        add     ZL, v
        adc     ZH, sign
        STORE   \at
        .endm

        .macro  STEP at
        LOAD    \at
        sbrs    w, 2 * \at + 1
        rjmp    2f
        sbrc    w, 2 * \at
        adiw    ZL, 1
        rjmp    3f
2:      sbiw    ZL, 1
        sbrs    w, 2 * \at
        sbiw    ZL, 1
3:      STORE   \at
        .endm

#undef ones
#define ones r22

        .section .text.rows_add, "ax", @progbits
        .global rows_add
rows_add:
; enter: r25:r24 sums, r23:r22 bytes, r20 bits
; exit:  r25:r24 behind the last sum
; uses:  what a C function may
        push    YL
        push    YH
        movw    YL, r24
        movw    XL, r22
        ldi     ones, 0xFF
        sbrc    r20, 3
        rjmp    add8
        sbrc    r20, 2
        rjmp    add4
1:      TAKE
        STEP    0
        STEP    1
        STEP    2
        STEP    3
        adiw    YL, 8
        sbiw    XL, 1
        breq    added
        rjmp    1b
add4:   TAKE
        mov     v, w
        andi    v, 15
        subi    v, 8
        SUM     0
        swap    w
        mov     v, w
        andi    v, 15
        subi    v, 8
        SUM     1
        adiw    YL, 4
        sbiw    XL, 1
        brne    add4
        rjmp    added
add8:   in      v, DATA         ; 23 cycles
        out     DATA, ones
        SUM     0
        adiw    YL, 2
        sbiw    XL, 1
        brne    add8
added:  movw    r24, YL
        pop     YH
        pop     YL
        ret
