/* Layers behind the first: kernel_push of device/common/kernel.h. Cycles per addition: nibble code
 * 10.4, byte code 9.4; a carry costs 9 more.
 *
 * Only low bytes are added; a carry or borrow leaves the straight path to step the high byte. Lists
 * are walked by a loop of four bytes which is entered in the middle. */
#include "pages.h"
#include "spec.h"

; Registers of kernel_push
#define zero    r2
#define c16     r3
#define scale   r4  /* 2^(8 - shift): with it MUL shifts right; 0 where the shift is 0 */
#define low0    r5  /* sum from which a row is active: 128 + 2^shift */
#define high0   r6
#define unit    r5  /* in layers of counts: 32 / 2^shift */
#define sums_l  r7  /* pages of the new layer */
#define sums_h  r14
#define save    r8  /* Y and X while a column is being added: the place behind its row, and */
#define done_l  r9  /* the pages of the finished layer */
#define save_h  r10
#define done_h  r11
#define flags   r12
#define zero0   r13 /* count from which a row is active */
#define layers  r15 /* to go */
#define left    r16 /* rows of this group */
#define groups  r17
#define p       r18 /* byte of a list */
#define t       r19
#define xl      r20 /* activation */
#define xh      r21
#define n       r22 /* loops to go in this list */
#define len     r23 /* bytes of the column; then of its minus list */
#define lo      r24
#define hi      r25

        .macro  TAKE reg
        lpm     \reg, Z+
        .endm

#include "walk.inc"

        .section .text.kernel_push, "ax", @progbits
        .global kernel_push
kernel_push:
; enter: r25:r24 tape, r22 layers to push
; exit:  r24 not 0: the last one is in B
; uses:  what a C function may
        tst     r22
        brne    1f
        clr     r24
        ret
1:
        push    r2
        push    r3
        push    r4
        push    r5
        push    r6
        push    r7
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        push    r16
        push    r17
        push    YL
        push    YH
        movw    ZL, r24
        clr     zero
        ldi     t, 16
        mov     c16, t
        mov     layers, r22
        ldi     t, A_LOW
        mov     sums_l, t
        inc     t
        mov     sums_h, t
        ldi     t, B_LOW
        mov     done_l, t
        inc     t
        mov     done_h, t

layer:  ldi     t, SWAP
        eor     done_l, t
        eor     done_h, t
        eor     sums_l, t
        eor     sums_h, t

; The new sums: low bytes in fours, high bytes 0 but for a list of exceptions.
        mov     YH, sums_l
        clr     YL
        mov     XH, sums_h
        clr     XL
        lpm     n, Z+
start:  .rept   4               ; 31 cycles
        lpm     t, Z+
        st      Y+, t
        st      X+, zero
        .endr
        dec     n
        brne    start
        lpm     n, Z+
        mov     XH, sums_h
        tst     n
        breq    scan_begin
high:   lpm     XL, Z+
        lpm     t, Z+
        st      X, t
        dec     n
        brne    high

scan_begin:
        lpm     left, Z+
        lpm     groups, Z+
        lpm     n, Z+           ; shift, or of counts: what one adds to the activation
        lpm     flags, Z+
        lpm     zero0, Z+
        mov     YH, done_l
        mov     XH, done_h
        clr     YL
        clr     XL
        mov     unit, n
        bst     flags, 1        ; COUNTS
        brts    cscan
        clr     high0
        ldi     p, 1            ; 2^shift
        ldi     t, 0x80
        tst     n
        brne    shift
        clr     t
        rjmp    shifted
shift:  lsl     p
        dec     n
        breq    shifted
        lsr     t
        rjmp    shift
shifted:
        mov     scale, t
        ldi     t, PRESET
        add     p, t
        mov     low0, p
        rol     high0
        rjmp    scan

; Walks rows that are counts: 12 cycles for one that is not active.
cscan:  ld      lo, Y+
        lpm     len, Z+
        cp      lo, zero0
        brsh    cactive
        add     ZL, len
        adc     ZH, zero
        dec     left
        brne    cscan
        rjmp    group
cactive:
        sub     lo, zero0       ; count beyond the threshold
        mul     lo, unit
        movw    xl, r0
        lpm     t, Z+           ; the activation at the threshold
        dec     len
        add     xl, t
        adc     xh, zero
        rjmp    ready
; Walks the rows of a finished layer: 15 cycles for one that is not active.
scan:   ld      lo, Y+
        ld      hi, X+
        lpm     len, Z+
        cp      lo, low0
        cpc     hi, high0       ; modulo 2^16
        brpl    active
skip:   add     ZL, len
        adc     ZH, zero
        dec     left
        brne    scan
group:  dec     groups
        breq    go_end
        ldi     left, GROUP_ROWS
        inc     YL              ; the spare
        inc     XL
        brtc    scan
        rjmp    cscan

go_end: rjmp    end
go_odd: rjmp    odd
go_wide:
        rjmp    wide
active: subi    lo, PRESET
        sbc     hi, zero
        brmi    skip            ; the few least sums pass the first test
; The activation of the sum hi:lo, which gives at least 1.
activate:
        mul     hi, scale
        movw    xl, r0
        mul     lo, scale
        or      xl, r1
        breq    go_odd
ready:  mov     save, YL
        mov     save_h, YL
        mov     YH, sums_l
        mov     XH, sums_h
        tst     xh
        brne    go_wide
narrow: lpm     n, Z+
        dec     len
        sbrc    n, 7            ; BYTE_CODE
        rjmp    in_bytes
        sub     len, n
        clr     YL
        NIBBLES add, add, inc
        clr     YL
        mov     n, len
        NIBBLES sub, sub, dec

; Behind a column: back to the row after `save`.
column_end:
        movw    YL, save
        movw    XL, save_h
        dec     left
        breq    2f
        brts    1f
        rjmp    scan
1:      rjmp    cscan
2:      rjmp    group

end:    dec     layers
        breq    1f
        rjmp    layer
1:      mov     r24, sums_l
        andi    r24, B_LOW
        clr     r1
        pop     YH
        pop     YL
        pop     r17
        pop     r16
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     r7
        pop     r6
        pop     r5
        pop     r4
        pop     r3
        pop     r2
        ret

; The low byte of the activation is 0: of a multiple of 256, or all of it where the shift is 0.
odd:    cpse    scale, zero
        rjmp    ready
        movw    xl, lo
        rjmp    ready
; Activations of two bytes are rare: a short loop for both codes, both signs and the high byte too.
wide:   sbrs    flags, 0        ; SATURATE
        rjmp    full
        ldi     xl, 255
        rjmp    narrow
full:   lpm     n, Z+
        dec     len
        mov     t, n
        andi    n, 0x7F
        sub     len, n
        eor     t, n            ; BYTE_CODE or 0
        bst     t, 7
        rcall   wide_list
        com     xh              ; x = -x
        neg     xl
        sbci    xh, -1
        mov     n, len
        rcall   wide_list
        bst     flags, 1        ; COUNTS
        rjmp    column_end

wide_list:
; enter: n bytes of a list, T in byte code, x
        clr     YL
        tst     n
        breq    wide_end
wide_next:
        lpm     p, Z+
        brtc    wide_pair
        mov     YL, p
        rjmp    wide_last
wide_pair:
        mul     p, c16
        add     YL, r1
        rcall   wide_add
        andi    p, 15
        add     YL, p
wide_last:
        rcall   wide_add
        dec     n
        brne    wide_next
wide_end:
        ret

wide_add:
        ld      t, Y
        add     t, xl
        st      Y, t
        mov     XL, YL
        ld      t, X
        adc     t, xh
        st      X, t
        ret

in_bytes:
        andi    n, 0x7F
        sub     len, n
        PLACES_ badd, add, inc
        mov     n, len
        PLACES_ bsub, sub, dec
        rjmp    column_end
