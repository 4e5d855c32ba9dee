/* The last layer: its choice, its digest, and single sums. */
#include "pages.h"
#include "spec.h"

#define left    r16 /* rows of this group */
#define groups  r17
#define p       r18 /* 2^(8 - shift) */
#define t       r19
#define xl      r20 /* output */
#define xh      r21
#define n       r22 /* most so far */
#define len     r23

        .section .text.kernel_choose, "ax", @progbits
        .macro  CRC byte        ; CRC-16/X-25 of r25:r24 and a byte: 17 cycles
        eor     r24, \byte
        mov     r0, r24
        swap    r24
        andi    r24, 0xF0
        eor     r24, r0
        mov     r0, r25
        mov     r25, r24
        swap    r24
        andi    r24, 0x0F
        eor     r0, r24
        lsr     r24
        eor     r25, r24
        eor     r24, r25
        lsl     r24
        lsl     r24
        lsl     r24
        eor     r24, r0
        .endm

        .global kernel_choose
kernel_choose:
; enter: r24 not 0: sums are in B; r23:r22 digest
; exit:  r24 row of the first maximum, digest updated
; uses:  what a C function may
        push    r14
        push    r15
        push    r16
        push    r17
        push    YL
        push    YH
        push    r22
        push    r23
        movw    XL, r22
        ldi     YH, A_LOW
        cpse    r24, r1
        ldi     YH, B_LOW
        lds     left, image + AT_OUTPUT_FIRST
        lds     groups, image + AT_OUTPUT_GROUPS
        lds     t, image + AT_OUTPUT_SHIFT
        ld      r24, X+
        ld      r25, X
        mov     XH, YH
        inc     XH
        clr     YL
        clr     XL
        clr     ZL              ; row
        clr     r14             ; best row
        clr     r15
        ldi     n, 0x00         ; least of all
        ldi     len, 0x80
        clt
        tst     t
        brne    1f
        set                     ; shift is 0
1:      ldi     p, 0x80         ; 2^(8 - shift)
        rjmp    3f
2:      lsr     p
3:      dec     t
        brne    2b
        rjmp    output
unshifted:
        mov     xl, t
        rjmp    compare
output: ld      t, Y+           ; 52 cycles a row
        ld      xh, X+
        subi    t, PRESET
        sbc     xh, r15
        brts    unshifted
        mulsu   xh, p
        movw    xl, r0
        mul     t, p
        or      xl, r1
compare:
        cp      n, xl
        cpc     len, xh
        brge    3f
        movw    n, xl
        mov     r14, ZL
3:      CRC     xl
        CRC     xh
        inc     ZL
        dec     left
        brne    output
        ldi     left, GROUP_ROWS
        inc     YL              ; the spare
        inc     XL
        dec     groups
        brne    output
        pop     XH
        pop     XL
        st      X+, r24
        st      X, r25
        clr     r1
        mov     r24, r14
        pop     YH
        pop     YL
        pop     r17
        pop     r16
        pop     r15
        pop     r14
        ret

        .section .text.kernel_get, "ax", @progbits
        .global kernel_get, kernel_put, kernel_bucket
kernel_bucket:
; enter: r24 bucket
; exit:  r24 its count
        mov     ZL, r24
        ldi     ZH, A_LOW
        ld      r24, Z
        ret

kernel_put:
; enter: r24 not 0: in B, r22 place, r21:r20 sum
        mov     ZL, r22
        ldi     ZH, A_LOW
        cpse    r24, r1
        ldi     ZH, B_LOW
        st      Z, r20
        inc     ZH
        st      Z, r21
        ret

kernel_get:
; enter: r24 not 0: in B, r22 place
; exit:  r25:r24 sum
        mov     ZL, r22
        ldi     ZH, A_LOW
        cpse    r24, r1
        ldi     ZH, B_LOW
        ld      r24, Z
        inc     ZH
        ld      r25, Z
        ret
