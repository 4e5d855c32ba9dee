/* stream_past of a card: its clock goes on. */
#include <avr/io.h>

#define DATA    _SFR_IO_ADDR(SPDR)
#define ones    r12
#define skip    r14 /* 2 bytes */

        .section .text.stream_past, "ax", @progbits
        .global stream_past
stream_past:
; enter: skip bytes, at least 1 and no more than there are in the block; ones
; exit:  the byte behind them is there
; uses:  r18, X
        movw    XL, skip
1:      out     DATA, ones      ; 18 cycles
        ldi     r18, 4
2:      dec     r18
        brne    2b
        nop
        sbiw    XL, 1
        brne    1b
        ret
