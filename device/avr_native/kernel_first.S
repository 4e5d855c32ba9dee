/* The first layer: counting of a query and of a context, and what is kept of a query. */
#include "pages.h"
#include "spec.h"

#define FOLD_STARTS 16 /* of the context; three n-grams each */

; Registers that counting shares
#define p       r18 /* byte of a list */
#define t       r19
#define n       r22 /* loops to go in this list */
#define len     r23 /* bytes of the column; then of its minus list */

        .section .text.kernel_count, "ax", @progbits
        .macro  TICK tag, step
\tag:   lpm     p, Z+           ; 18 cycles for two moves
        mul     p, r21
        add     YL, r1
        ld      t, Y
        \step   t
        st      Y, t
        andi    p, 15
        add     YL, p
        ld      t, Y
        \step   t
        st      Y, t
        .endm

        .macro  TICKS tag, step
        clr     YL
        lsr     n
        brcc    8f
        inc     n
        rjmp    \tag\()2
8:      breq    9f
        TICK    \tag\()1, \step
        TICK    \tag\()2, \step
        dec     n
        brne    \tag\()1
9:
        .endm

        .global kernel_count
kernel_count:
; enter: r25:r24 bucket
; uses:  what a C function may
        lds     t, image + AT_FORM
        cp      t, r1
        breq    1f              ; FORM_TABLE
        mov     ZL, r24
        ldi     ZH, A_LOW
        ld      t, Z
        inc     t
        st      Z, t
        ret
1:      push    YL
        push    YH
        rcall   count
        clr     r1
        pop     YH
        pop     YL
        ret

count:
; enter: r25:r24 bucket
; uses:  r18, r19, r21 - r25, Y, Z, r0, r1
        mov     n, r24
        andi    n, BLOCK_COLUMNS - 1
        andi    r24, 0x100 - BLOCK_COLUMNS
        lsr     r25             ; 2 bytes for 4 columns
        ror     r24
        lds     ZL, image + AT_TABLE
        lds     ZH, image + AT_TABLE + 1
        add     ZL, r24
        adc     ZH, r25
        subi    ZL, lo8(-(MODEL_ADDRESS))
        sbci    ZH, hi8(-(MODEL_ADDRESS))
        lpm     r24, Z+
        lpm     r25, Z
        movw    ZL, r24
        subi    ZL, lo8(-(MODEL_ADDRESS))
        sbci    ZH, hi8(-(MODEL_ADDRESS))
        clr     r25
        inc     n
skim:   lpm     len, Z+         ; 9 cycles for a column before it
        dec     n
        breq    found
        add     ZL, len
        adc     ZH, r25
        rjmp    skim
found:  ldi     YH, A_LOW
        ldi     r21, 16
        subi    len, 1
        brcc    1f
        ret                     ; no weights at all
1:      lpm     n, Z+
        sbrc    n, 7            ; BYTE_CODE
        rjmp    count_bytes
        sub     len, n
        TICKS   up, inc
        mov     n, len
        TICKS   down, dec
        ret

; Byte code is rare in the first layer.
count_bytes:
        andi    n, 0x7F
        sub     len, n
        inc     n
        inc     len
        rjmp    2f
1:      lpm     YL, Z+
        ld      t, Y
        inc     t
        st      Y, t
2:      dec     n
        brne    1b
        rjmp    4f
3:      lpm     YL, Z+
        ld      t, Y
        dec     t
        st      Y, t
4:      dec     len
        brne    3b
        ret

        .section .text.kernel_context, "ax", @progbits
        .global kernel_context
kernel_context:
; enter: r25:r24 context
; uses:  what a C function may
        push    r2
        push    r3
        push    r4
        push    r5
        push    r6
        push    r7
        push    r8
        push    r9
        push    r10
        push    YL
        push    YH
        push    r11
        movw    r8, r24
        clt                     ; T: sums, for counts would not fit a byte
        lds     t, image + AT_ZERO
        lds     p, image + AT_FLOOR
        sub     t, p
        brpl    recall_begin
        set
        rcall   kernel_clear
        rjmp    grams_begin
recall_begin:
        ldi     ZH, CACHE
        clr     ZL
        ldi     YH, A_LOW
        clr     YL
        lds     r22, image + AT_FIRST_PLACES
        subi    r22, -3
        lsr     r22
        lsr     r22             ; 0 is 64
        brne    recall
        ldi     r22, 64
recall: .rept   4               ; 19 cycles
        ld      r0, Z+
        st      Y+, r0
        .endr
        dec     r22
        brne    recall

grams_begin:
        movw    XL, r8
        lds     r2, image + AT_CONTEXT_LENGTH
        add     r2, XL          ; end
        lds     r4, image + AT_CONTEXT_MASK
        lds     r5, image + AT_CONTEXT_MASK + 1
        lds     r6, image + AT_QUERY_MASK
        lds     r7, image + AT_QUERY_MASK + 1
        ldi     t, FOLD_STARTS
        mov     r11, t
        ldi     t, 31
        mov     r10, t
        clr     r3              ; start * 7
gram1:  mov     r8, r3          ; r9:r8 hash
        clr     r9
        ldi     r20, 3
grams:  ld      t, X+
        mul     r9, r10         ; hash = hash * 31 + t
        mov     r9, r0
        mul     r8, r10
        mov     r8, r0
        add     r9, r1
        clr     r0
        add     r8, t
        adc     r9, r0
        movw    r24, r8
        and     r24, r4
        and     r25, r5
        sec                     ; first bucket: the mask and 1
        adc     r24, r6
        adc     r25, r7
        rcall   count
        dec     r20
        breq    1f
        cp      XL, r2
        brne    grams
1:      ldi     t, 7
        add     r3, t
        clr     r25
        sbiw    XL, 2           ; back to the start but one: 3 - left grams were read
        add     XL, r20
        adc     XH, r25
        brtc    2f
        dec     r11
        brne    2f
        ldi     t, FOLD_STARTS
        mov     r11, t
        clr     r1
        rcall   kernel_fold
2:
        cp      XL, r2
        brne    gram1
        clr     r1
        brtc    2f
        rcall   kernel_fold
        lds     ZL, image + AT_TAPE
        lds     ZH, image + AT_TAPE + 1
        rcall   sums
2:      pop     r11
        pop     YH
        pop     YL
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

        .section .text.kernel_clear, "ax", @progbits
        .global kernel_clear
kernel_clear:
; uses:  r24, Z
        lds     r24, image + AT_FIRST_PLACES
        clr     ZL
1:      ldi     ZH, A_LOW       ; 12 cycles a place
        st      Z, r1
        ldi     ZH, B_LOW
        st      Z, r1
        inc     ZH
        st      Z, r1
        inc     ZL
        dec     r24
        brne    1b
        ret

        .section .text.kernel_fold, "ax", @progbits
        .global kernel_fold, kernel_begin
kernel_fold:
; uses:  r18 - r20, r24, Z
        lds     r24, image + AT_FIRST_PLACES
        clr     ZL
1:      ldi     ZH, A_LOW       ; 24 cycles a place
        ld      r18, Z
        st      Z, r1
        mov     r19, r18        ; its sign
        lsl     r19
        sbc     r19, r19
        ldi     ZH, B_LOW
        ld      r20, Z
        add     r20, r18
        st      Z, r20
        inc     ZH
        ld      r20, Z
        adc     r20, r19
        st      Z, r20
        inc     ZL
        dec     r24
        brne    1b
        ret

kernel_begin:
; uses:  what a C function may
        rcall   kernel_fold     ; leaves 0 in r24
        lds     ZL, image + AT_TAPE
        lds     ZH, image + AT_TAPE + 1
        lds     r20, image + AT_KIND
        clt
        cpse    r20, r24
        rjmp    sums
        subi    ZL, lo8(-(MODEL_ADDRESS))
        sbci    ZH, hi8(-(MODEL_ADDRESS))
        lds     r25, image + AT_FIRST_PLACES
        lds     r23, image + AT_FLOOR
        lds     r22, image + AT_LIFT
        cpse    r22, r24
        rjmp    1f
        lds     r22, image + AT_ZERO
        set                     ; thresholds are on the tape
1:      clr     XL
keep:   ldi     XH, B_LOW
        ld      r18, X
        inc     XH
        ld      r19, X
        clr     r20
        brtc    1f
        lpm     r20, Z+         ; threshold
1:      mov     r21, r20
        lsl     r21
        sbc     r21, r21
        sub     r18, r20
        sbc     r19, r21
        add     r18, r22
        adc     r19, r24
        cp      r18, r23
        cpc     r19, r24
        brge    1f
        mov     r18, r23
1:      ldi     XH, CACHE
        st      X, r18
        inc     XL
        dec     r25
        brne    keep
        ret

sums:
; enter: ZH:ZL offset of the biases, T: B lacks the query's share
; uses:  r18 - r22, r25, X, Z
        subi    ZL, lo8(-(MODEL_ADDRESS))
        sbci    ZH, hi8(-(MODEL_ADDRESS))
        lds     r25, image + AT_FIRST_PLACES
        clr     XL
sum:    ldi     XH, B_LOW
        ld      r18, X
        inc     XH
        ld      r19, X
        brtc    1f
        ldi     XH, CACHE
        ld      r20, X
        subi    r20, SUMS_ZERO
        mov     r21, r20
        lsl     r21
        sbc     r21, r21
        add     r18, r20
        adc     r19, r21
1:      ldi     r21, INPUT_SCALE
        mul     r19, r21
        mov     r19, r0
        mul     r18, r21
        lpm     r18, Z+
        lpm     r20, Z+
        add     r18, r0
        adc     r19, r20
        add     r19, r1
        ldi     XH, A_LOW + 1
        st      X, r19
        dec     XH
        st      X, r18
        inc     XL
        dec     r25
        brne    sum
        clr     r1
        ret
