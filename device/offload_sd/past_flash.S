/* stream_past of a flash chip: a new read command. */
#include <avr/io.h>

#include "spec.h"
#include "wiring.h"

#define DATA    _SFR_IO_ADDR(SPDR)
#define PORT    _SFR_IO_ADDR(PORTB)
#define SELECT  2 /* WIRE_SELECT */
#define READ    0x03
#define NEAR    5 /* bytes; clocked past sooner than a new command goes out */

#define zero    r2
#define ones    r12
#define skip    r14 /* 2 bytes */
#define left_l  r24
#define left_h  r25
#define a0      r18 /* address */
#define a1      r19
#define a2      r22

        .macro  SEND reg        ; 18 cycles
        out     DATA, \reg
        ldi     XL, 5
1:      dec     XL
        brne    1b
        rjmp    .+0
        .endm

        .section .text.stream_past, "ax", @progbits
        .global stream_past
stream_past:
; enter: skip bytes, at least 1; left: what is left behind them; zero, ones
; exit:  the byte behind them is there
; uses:  r18, r19, r22, X
        tst     r15
        brne    command
        mov     XH, r14
        cpi     XH, NEAR + 1
        brsh    command
1:      out     DATA, ones      ; 18 cycles
        ldi     XL, 4
2:      dec     XL
        brne    2b
        rjmp    .+0
        dec     XH
        brne    1b
        ret
command:
        lds     a0, w25q_limit
        lds     a1, w25q_limit + 1
        lds     a2, w25q_limit + 2
        sub     a0, left_l
        sbc     a1, left_h
        sbc     a2, zero
        sbi     PORT, SELECT
        ldi     XH, READ
        cbi     PORT, SELECT
        SEND    XH
        SEND    a2
        SEND    a1
        SEND    a0
        out     DATA, ones
        ldi     XL, 4
1:      dec     XL
        brne    1b
        ret
