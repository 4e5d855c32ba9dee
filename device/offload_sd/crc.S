; The image check at the speed of the bus: a CRC fits between two bytes.
#include <avr/io.h>

#define crc_low r24
#define crc_high r25
#define count_low r22
#define count_high r23
#define byte r18
#define eight r19
#define sixteen r20
#define ones r21

    .section .text.stream_crc, "ax", @progbits
    .global stream_crc
    .type stream_crc, @function

; uint16_t stream_crc(uint16_t crc, uint16_t count), count > 0: 18 cycles a byte, 17 from write to read.
stream_crc:
    ldi eight, 8
    ldi sixteen, 16
    ldi ones, 0xFF
    lds r26, stream_left
    lds r27, stream_left + 1
    sub r26, count_low
    sbc r27, count_high
    sts stream_left, r26
    sts stream_left + 1, r27
    cpse count_low, r1      ; the inner loop counts the low byte, 0 as 256
    inc count_high
1:  in byte, _SFR_IO_ADDR(SPDR)
    out _SFR_IO_ADDR(SPDR), ones
    eor byte, crc_low
    mul byte, sixteen       ; byte ^= byte << 4
    eor byte, r0
    mov crc_low, crc_high
    mov crc_high, byte
    mul byte, sixteen
    eor crc_low, r1         ; byte >> 4
    mul byte, eight
    eor crc_low, r0         ; byte << 3
    eor crc_high, r1
    dec count_low
    brne 1b
    dec count_high
    brne 1b
    clr r1
    rjmp .+0                ; the last byte arrives
    rjmp .+0
    ret
