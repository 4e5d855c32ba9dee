/* bits_pass of device/common/bits.h, for a tape in EEPROM or flash: device/common/bits.c in a third
 * of its size. */
#include <avr/io.h>

#include "pages.h"
#include "spec.h"

#define EECR_   _SFR_IO_ADDR(EECR)
#define columns r14 /* of the layer; 0 means 256 */
#define column  r15
#define rows    r16
#define left    r17 /* layers */
#define shift   r18 /* of the layer before */
#define t       r19
#define xl      r20 /* activation */
#define xh      r21
#define mask    r22 /* of the last bit read, in byte */
#define byte    r23
#define al      r24 /* what is added */
#define ah      r25
#define flags   r0  /* of the layer before */
#define doubles r13

        .section .text.bits_pass, "ax", @progbits
next_byte:
; exit:  t byte at X, X behind it
; uses:  Z
        lds     t, store_open
        tst     t
        brne    1f
        movw    ZL, XL
        subi    ZL, lo8(-(MODEL_ADDRESS))
        sbci    ZH, hi8(-(MODEL_ADDRESS))
        lpm     t, Z
        rjmp    2f
1:      sbic    EECR_, EEPE
        rjmp    1b              ; still writing
        out     _SFR_IO_ADDR(EEARL), XL
        out     _SFR_IO_ADDR(EEARH), XH
        sbi     EECR_, EERE
        in      t, _SFR_IO_ADDR(EEDR)
2:      adiw    XL, 1
        ret

next_bit:
; exit:  Z set when the bit is 0
        lsr     mask
        brne    1f
        rcall   next_byte
        mov     byte, t
        ldi     mask, 0x80
1:      mov     t, byte
        and     t, mask
        ret

        .global bits_pass
bits_pass:
; exit:  r24 not 0: the outputs are in B
; uses:  what a C function may
        push    r13
        push    r14
        push    r15
        push    r16
        push    r17
        push    YL
        push    YH
        lds     XL, image + AT_SECOND
        lds     XH, image + AT_SECOND + 1
        lds     left, image + AT_LAYERS
        lds     columns, image + AT_FIRST_PLACES
        ldi     YH, A_LOW
        clr     shift
        set                     ; T: the layer before is counts
layer:  ldi     t, SWAP
        eor     YH, t
        rcall   next_byte
        mov     rows, t
        clr     YL
bias:   rcall   next_byte
        st      Y, t
        inc     YH
        rcall   next_byte
        st      Y, t
        dec     YH
        inc     YL
        cp      YL, rows
        brne    bias
        rcall   next_byte
        mov     doubles, t
        clr     mask
        clr     column
each:   mov     ZL, column
        mov     ZH, YH
        ldi     t, SWAP
        eor     ZH, t
        ld      xl, Z
        brtc    activate
        ldi     t, INPUT_SCALE
        mul     xl, t
        movw    xl, r0
        clr     r1
        rjmp    active
activate:
        inc     ZH
        ld      xh, Z
        mov     t, shift
        rjmp    2f
1:      asr     xh
        ror     xl
2:      subi    t, 1
        brcc    1b
        tst     xh
        breq    active          ; 0 to 255
        brmi    idle
        sbrs    flags, 0        ; SATURATE
        rjmp    active
        clr     xh
        ldi     xl, 255
        rjmp    active
idle:   clr     xl
        clr     xh
active: clr     YL
row:    rcall   next_bit
        breq    next
        movw    al, xl
        rcall   next_bit
        breq    sum
        com     ah
        neg     al
        sbci    ah, -1
        tst     doubles
        breq    sum
        rcall   next_bit
        breq    sum
        lsl     al
        rol     ah
sum:    ld      t, Y
        add     t, al
        st      Y, t
        inc     YH
        ld      t, Y
        adc     t, ah
        st      Y, t
        dec     YH
next:   inc     YL
        cp      YL, rows
        brne    row
        inc     column
        cp      column, columns
        brne    each
        clt
        mov     columns, rows
        rcall   next_byte
        mov     shift, t
        rcall   next_byte
        mov     flags, t
        dec     left
        breq    done
        rjmp    layer
done:   mov     r24, YH
        andi    r24, B_LOW
        pop     YH
        pop     YL
        pop     r17
        pop     r16
        pop     r15
        pop     r14
        pop     r13
        ret
