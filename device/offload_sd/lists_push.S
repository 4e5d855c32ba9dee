/* Columns of sparse layers, taken from the bus: cycles per byte of a list 19.75, which is two moves
 * of nibble code; a carry costs 9 more. From one write of SPDR to the next are 18 at least, and 17
 * to a read, else a byte is lost.
 *
 * What is rare goes byte by byte through `take`: columns that a block of a card ends in, activations
 * of two bytes, and byte code. */
#include "lists.inc"
#include "walk.inc"

        .section .text.lists_push, "ax", @progbits
        .global lists_push
lists_push:
; enter: r24 page, r22 places, r20 shift or unit, r18 flags
; uses:  what a C function may
        ENTRY
        ldi     t, 16
        mov     c16, t
        mov     flags, r18
        mov     to_go, r22
        mov     done_l, r24
        mov     done_h, r24
        inc     done_h
        ldi     t, SWAP
        eor     r24, t
        mov     sums_l, r24
        mov     sums_h, r24
        inc     sums_h
        mov     scale, r20
        clr     preset
        ldi     n, 1
        sbrc    flags, 1        ; COUNTS
        rjmp    2f
        ldi     t, PRESET
        mov     preset, t
        clr     scale
        tst     r20
        breq    2f
1:      lsl     n               ; 2^shift
        lsr     t
        dec     r20
        brne    1b
        lsl     t
        mov     scale, t
2:      mov     least, n
        lds     left_l, stream_left
        lds     left_h, stream_left + 1
        clr     place
        clr     skip_l
        clr     skip_h

; A group: its lengths come, 20 cycles each; those of active places go to the stack as records of
; three bytes: gap before the column, length, place behind. A gap beyond a byte has a record without
; a length.
group:  call    lists_skip
        ldi     n, STREAM_GROUP
        tst     to_go
        breq    1f
        cp      to_go, n
        brsh    1f
        mov     n, to_go
1:      sub     to_go, n
        mov     YL, place
        mov     XL, place
        mov     YH, done_l
        mov     XH, done_h
        in      ZL, _SFR_IO_ADDR(SPL)
        in      ZH, _SFR_IO_ADDR(SPH)
        adiw    ZL, 1           ; for reading downwards
        clr     gap
        clr     t               ; records
scan:   sbiw    left_l, 1
        brcs    ends
taken:  TAKE    len
        ld      xl, Y+
        ld      xh, X+
        sub     xl, preset
        sbc     xh, zero
        cp      xl, least
        cpc     xh, zero
        brge    active
idle:   add     gap, len
        brcs    far
2:      dec     n
        brne    scan
        rjmp    scanned
ends:   call    lists_block
        rjmp    taken
active: tst     len
        breq    2b
        push    gap
        push    len
        push    YL
        clr     gap
        inc     t
        rjmp    2b
far:    sub     gap, len
        push    gap
        push    zero
        push    zero
        mov     gap, len
        inc     t
        rjmp    2b

scanned:
        mov     place, YL
        mov     YL, t
        push    ZL              ; where the records began
        push    ZH
        tst     records
        brne    walk
        rjmp    walked
walk:   ld      t, -Z
        ld      len, -Z
        ld      XL, -Z
        push    records
        add     skip_l, t
        adc     skip_h, zero
        tst     len
        brne    1f
        rjmp    column_end
1:      dec     XL
        mov     YL, XL
        mov     YH, done_l
        mov     XH, done_h
        ld      xl, Y
        ld      xh, X
        sbrs    flags, 1        ; COUNTS
        rjmp    2f
        mul     xl, scale
        movw    xl, r0
        rjmp    ready
2:      sub     xl, preset
        sbc     xh, zero
        tst     scale
        breq    ready
        mul     xh, scale
        movw    p, r0
        mul     xl, scale
        or      p, r1
        movw    xl, p
ready:  tst     xh
        breq    narrow
        sbrs    flags, 0        ; SATURATE
        rjmp    full
        ldi     xl, 255
        clr     xh
narrow: call    lists_skip
        tst     left_h
        brne    1f
        cp      left_l, len
        brsh    1f
        rjmp    slow
1:      TAKE    n               ; 18 cycles to the next at least
        sbrc    n, 7            ; BYTE_CODE
        rjmp    in_bytes
        sub     left_l, len
        sbc     left_h, zero
        dec     len
        sub     len, n
        mov     YH, sums_l
        mov     XH, sums_h
        clr     YL
        nop
plus:   NIBBLES add, add, inc
        sbrc    flags, 6        ; in parts
        ret
        clr     YL
        mov     n, len
minus:  NIBBLES sub, sub, dec
        sbrc    flags, 6
        ret
column_end:
        pop     records
        dec     records
        breq    walked
        rjmp    walk

walked: pop     ZH              ; drops the records
        pop     ZL
        sbiw    ZL, 1
        in      r0, _SFR_IO_ADDR(SREG)
        cli
        out     _SFR_IO_ADDR(SPH), ZH
        out     _SFR_IO_ADDR(SREG), r0
        out     _SFR_IO_ADDR(SPL), ZL
        add     skip_l, gap
        adc     skip_h, zero
        tst     to_go
        breq    1f
        rjmp    group
1:      call    lists_skip

        LEAVE

full:   call    lists_skip
slow:   call    lists_take
        mov     n, p
        rjmp    1f
in_bytes:
        sbiw    left_l, 1
1:      bst     n, 7            ; BYTE_CODE
        bld     flags, 7
        andi    n, 0x7F
        dec     len
        sub     len, n
        mov     YH, sums_l
        mov     XH, sums_h
        brts    1f
        tst     xh
        breq    split
1:      rcall   slow_list
        com     xh              ; x = -x
        neg     xl
        sbci    xh, -1
        mov     n, len
        rcall   slow_list
        rjmp    column_end

; A column that a block ends in: each list part by part. T: minus.
split:  set
        bld     flags, 6
        clt
        rcall   parts
        set
        mov     n, len
        rcall   parts
        clt
        bld     flags, 6
        rjmp    column_end
parts:  mov     skip_l, n       ; to go
        clr     YL
part:   tst     skip_l
        breq    4f
        sbiw    left_l, 1
        brcc    1f
        call    lists_block
1:      adiw    left_l, 1
        mov     n, skip_l
        tst     left_h
        brne    2f
        cp      left_l, n
        brsh    2f
        mov     n, left_l
2:      sub     skip_l, n
        sub     left_l, n
        sbc     left_h, zero
        brts    3f
        rcall   plus
        rjmp    part
3:      rcall   minus
        rjmp    part
4:      ret

slow_list:
; enter: n bytes of a list, bit 7 of flags: byte code, x
        clr     YL
        tst     n
        breq    3f
1:      call    lists_take
        sbrs    flags, 7
        rjmp    4f
        mov     YL, p
        rjmp    2f
4:      mul     p, c16
        add     YL, r1
        rcall   slow_add
        andi    p, 15
        add     YL, p
2:      rcall   slow_add
        dec     n
        brne    1b
3:      ret

slow_add:
        ld      t, Y
        add     t, xl
        st      Y, t
        mov     XL, YL
        ld      t, X
        adc     t, xh
        st      X, t
        ret
