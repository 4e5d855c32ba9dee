/* The kernel in assembly (device/common/kernel.h). Cycles per addition: nibble code 10.4, byte code
 * 9.4; a carry costs 9 more.
 *
 * Low and high bytes of sums have a page of SRAM each, so an address within a page is a place and
 * fits one register. Only low bytes are added; a carry or borrow leaves the straight path to step
 * the high byte. Lists are walked by a loop of four bytes which is entered in the middle. */
#include "spec.h"

; SRAM, in pages of 256 bytes: linked below .data (Makefile)
#define CACHE 1 /* of a query */
#define A_LOW 2 /* high bytes one page on */
#define B_LOW 4
#define FOLD_STARTS 16 /* of the context; three n-grams each */
#define SWAP (A_LOW ^ B_LOW)

; Registers of kernel_push
#define zero    r2
#define c16     r3
#define scale   r4  /* 2^(8 - shift): with it MUL shifts right; 0 where the shift is 0 */
#define low0    r5  /* sum from which a row is active: 128 + 2^shift */
#define high0   r6
#define save    r7  /* place behind the row whose column is being added */
#define done_l  r8  /* pages of the finished layer and of the new one */
#define done_h  r9
#define sums_l  r10
#define sums_h  r11
#define flags   r12
#define zero0   r13 /* count from which a row is active */
#define c32     r14
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

; Two moves of nibble code, 20 cycles.
        .macro  PAIR tag, op
\tag:   lpm     p, Z+
        mul     p, c16          ; r1 = high nibble
        add     YL, r1
        ld      t, Y
        \op     t, xl
        brcs    \tag\()c1
\tag\()r1:
        st      Y, t
        andi    p, 15
        add     YL, p
        ld      t, Y
        \op     t, xl
        brcs    \tag\()c2
\tag\()r2:
        st      Y, t
        .endm

; One place of byte code, 9 cycles.
        .macro  PLACE tag, op
\tag:   lpm     YL, Z+
        ld      t, Y
        \op     t, xl
        brcs    \tag\()c1
\tag\()r1:
        st      Y, t
        .endm

; What carry number i of a PAIR or PLACE leads to: 9 cycles.
        .macro  CARRY tag, i, step
\tag\()c\i:
        mov     XL, YL
        ld      r0, X
        \step   r0
        st      X, r0
        rjmp    \tag\()r\i
        .endm

; Enters a loop of four units named tag1 ... tag4 so that n of them are run; ends at tag1.
        .macro  ENTER tag, none
        lsr     n
        brcs    7f
        lsr     n
        brcs    8f
        brne    \tag\()1
        rjmp    \none
7:      lsr     n
        inc     n               ; keeps carry
        brcs    9f
        rjmp    \tag\()4
9:      rjmp    \tag\()2
8:      inc     n
        rjmp    \tag\()3
        .endm

; Walks n bytes of a list; falls through behind the last.
        .macro  NIBBLES tag, op, step
        ENTER   \tag, \tag\()5
        CARRY   \tag\()1, 1, \step
        CARRY   \tag\()1, 2, \step
        CARRY   \tag\()2, 1, \step
        CARRY   \tag\()2, 2, \step
        CARRY   \tag\()3, 1, \step
        CARRY   \tag\()3, 2, \step
        CARRY   \tag\()4, 1, \step
        CARRY   \tag\()4, 2, \step
        PAIR    \tag\()1, \op
        PAIR    \tag\()2, \op
        PAIR    \tag\()3, \op
        PAIR    \tag\()4, \op
        dec     n
        brne    \tag\()1
\tag\()5:
        .endm

        .macro  PLACES_ tag, op, step
        ENTER   \tag, \tag\()5
        CARRY   \tag\()1, 1, \step
        CARRY   \tag\()2, 1, \step
        CARRY   \tag\()3, 1, \step
        CARRY   \tag\()4, 1, \step
        PLACE   \tag\()1, \op
        PLACE   \tag\()2, \op
        PLACE   \tag\()3, \op
        PLACE   \tag\()4, \op
        dec     n
        brne    \tag\()1
\tag\()5:
        .endm

        .section .text.kernel_push, "ax", @progbits
        .global kernel_push
kernel_push:
; enter: r25:r24 tape, r22 not 0: the finished layer is in B
; exit:  r25:r24 tape behind the columns
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
        push    r11
        push    r12
        push    r13
        push    r14
        push    r16
        push    r17
        push    YL
        push    YH
        movw    ZL, r24
        clr     zero
        ldi     t, 16
        mov     c16, t
        ldi     t, 32
        mov     c32, t
        ldi     t, A_LOW
        cpse    r22, zero
        ldi     t, B_LOW
        mov     done_l, t
        mov     done_h, t
        inc     done_h
        ldi     p, SWAP
        eor     t, p
        mov     sums_l, t
        mov     sums_h, t
        inc     sums_h

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
        lpm     n, Z+           ; shift
        lpm     flags, Z+
        lpm     zero0, Z+
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
        mov     YH, done_l
        mov     XH, done_h
        clr     YL
        clr     XL
        bst     flags, 1        ; COUNTS
        brts    cscan
        rjmp    scan

; Walks rows that are counts: 12 cycles for one that is not active.
cscan:  ld      lo, Y+
        lpm     len, Z+
        cp      lo, zero0
        brsh    cactive
        add     ZL, len
        adc     ZH, zero
cnext:  dec     left
        brne    cscan
        dec     groups
        breq    go_end
        ldi     left, GROUP_ROWS
        inc     YL              ; the spare
        rjmp    cscan
cactive:
        sub     lo, zero0       ; count beyond the threshold
        mul     lo, c32
        movw    lo, r0
        lpm     t, Z+           ; the sum at the threshold
        dec     len
        add     lo, t
        adc     hi, zero
        rjmp    activate
; Walks the rows of a finished layer: 15 cycles for one that is not active.
scan:   ld      lo, Y+
        ld      hi, X+
        lpm     len, Z+
        cp      lo, low0
        cpc     hi, high0       ; modulo 2^16
        brpl    active
skip:   add     ZL, len
        adc     ZH, zero
next:   dec     left
        brne    scan
        dec     groups
        breq    go_end
        ldi     left, GROUP_ROWS
        inc     YL              ; the spare
        inc     XL
        rjmp    scan

go_end: rjmp    end
go_odd: rjmp    odd
go_wide:
        rjmp    wide
active: subi    lo, PRESET
        sbc     hi, zero
        brmi    skip            ; the few least sums pass the first test
; The activation of the sum hi:lo, which gives at least 1.
activate:
        mov     save, YL
        mov     YH, sums_l
        mov     XH, sums_h
        mul     hi, scale
        movw    xl, r0
        mul     lo, scale
        or      xl, r1
        breq    go_odd
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
        mov     YL, save
        mov     XL, save
        mov     YH, done_l
        mov     XH, done_h
        brts    1f
        rjmp    next
1:      rjmp    cnext

end:    movw    r24, ZL
        clr     r1
        pop     YH
        pop     YL
        pop     r17
        pop     r16
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
        rjmp    wide
        movw    xl, lo
        tst     xh
        brne    wide
        rjmp    narrow
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
        push    YL
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
        lds     t, image + AT_FIRST_PLACES
        subi    t, 1            ; behind 1 to 256 thresholds
        add     ZL, t
        adc     ZH, r1
        adiw    ZL, 1
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
; enter: r25:r24 tape, on what is told of the last layer; r22 not 0: it is in B; r21:r20 digest
; exit:  r24 row of the first maximum, digest updated
; uses:  what a C function may
        push    r14
        push    r15
        push    r16
        push    r17
        push    YL
        push    YH
        push    r20
        push    r21
        movw    ZL, r24
        movw    XL, r20
        ldi     YH, A_LOW
        cpse    r22, r1
        ldi     YH, B_LOW
        ld      r24, X+
        ld      r25, X
        mov     XH, YH
        inc     XH
        clr     YL
        clr     XL
        lpm     left, Z+
        lpm     groups, Z+
        lpm     t, Z            ; shift
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
        lds     r22, image + AT_ZERO
        lds     r23, image + AT_FLOOR
        clr     XL
keep:   ldi     XH, B_LOW
        ld      r18, X
        inc     XH
        ld      r19, X
        lpm     r20, Z+         ; threshold
        mov     r21, r20
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

        .section .text.kernel_get, "ax", @progbits
        .global kernel_get
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
