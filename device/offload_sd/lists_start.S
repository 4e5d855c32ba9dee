/* The start of a layer's sums; and how the kernel for lists takes single bytes and leaves others
 * out. From one write of SPDR to the next are 18 cycles at least, and 17 to a read, else a byte is
 * lost. */
#include "lists.inc"

        .section .text.lists_start, "ax", @progbits
        .global lists_block, lists_take, lists_skip, lists_start
lists_block:
; exit:  a byte is there, and counted as taken
; uses:  left
        sts     stream_left, zero
        sts     stream_left + 1, zero
        SAVE
        call    stream_block
        RESTORE
        sbiw    left_l, 1
        ret

lists_take:
; exit:  p next byte
; uses:  left
        sbiw    left_l, 1
        brcs    2f
1:      TAKE    p
        rjmp    .+0             ; 17 cycles to the next read, whoever calls
        rjmp    .+0
        rjmp    .+0
        rjmp    .+0
        ret
2:      rcall   lists_block
        rjmp    1b

lists_skip:
; enter: skip bytes; exit: none
; uses:  p, t, n, X, left
        cp      skip_l, zero
        cpc     skip_h, zero
        breq    3f
        cp      left_l, skip_l
        cpc     left_h, skip_h
        brlo    2f
        sub     left_l, skip_l
        sbc     left_h, skip_h
        call    stream_past
1:      clr     skip_l
        clr     skip_h
3:      ret
2:      sts     stream_left, left_l
        sts     stream_left + 1, left_h
        SAVE
        movw    r24, skip_l
        call    stream_skip
        RESTORE
        rjmp    1b

lists_start:
; enter: r24 page, r22 unit
; uses:  what a C function may
        ENTRY
        mov     xl, r22         ; unit
        mov     sums_h, r24
        inc     sums_h
        mov     YH, r24
        lds     left_l, stream_left
        lds     left_h, stream_left + 1
        clr     YL
        mov     XH, sums_h
        clr     XL
        ldi     ZH, CACHE
        clr     ZL
        rcall   lists_take
        mov     n, p
start:  sbiw    left_l, 1       ; 18 cycles
        brcs    2f
1:      TAKE    t
        ld      p, Z+
        muls    p, xl
        add     r0, t
        adc     r1, zero
        st      Y+, r0
        st      X+, r1
        dec     n
        brne    start
        rcall   lists_take
        mov     n, p
        tst     n
        breq    4f
3:      rcall   lists_take
        mov     XL, p
        rcall   lists_take
        ld      t, X
        add     t, p
        st      X, t
        dec     n
        brne    3b
4:      LEAVE
2:      rcall   lists_block
        rjmp    1b
