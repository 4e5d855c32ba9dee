; Frames in and out of the console: 7E type seq payload crc_lo crc_hi 7E (docs/protocol.md). Not what they mean:
; that is service.asm. Sent in the 7-bit form only; both forms are understood.

FRAME_TEXT      equ     0       ; the byte belongs to no frame
FRAME_PARTIAL   equ     1       ; it was taken; the frame goes on, or was dropped
FRAME_COMPLETE  equ     2       ; frame_type, frame_seq, frame_payload, frame_length hold a sound frame
FRAME_BYTES     equ     2+MAX_PAYLOAD+2
CRC_START       equ     0FFFFh
CRC_GOOD        equ     0F0B8h  ; what a body with its CRC leaves

; Takes a received byte.
;   enter: A the byte
;   exit: A FRAME_TEXT (Z), FRAME_PARTIAL or FRAME_COMPLETE
;   uses: AF, BC, DE, HL
;   size: 140 bytes
;   time: 46 to 358 T
frame_receive:  ld      b,a
                cp      FRAME_FLAG
                jr      z,_flag
                ld      a,(frame_open)
                or      a
                ret     z               ; FRAME_TEXT
                ld      a,b
                ld      hl,frame_xor
                cp      FRAME_ESCAPE
                jr      nz,_no_escape
                ld      (hl),FRAME_XOR
                jr      _partial
_no_escape:     ld      de,frame_bit7
                cp      FRAME_HIGH
                jr      nz,_no_high
                ld      a,80h
                ld      (de),a
                jr      _partial
_no_high:       xor     (hl)
                ld      (hl),0
                ex      de,hl
                or      (hl)
                ld      (hl),0
                ld      b,a
                ld      hl,frame_count
                ld      a,(hl)
                cp      FRAME_BYTES
                jr      z,_noise
                inc     (hl)
                ld      e,a
                ld      d,0
                ld      hl,frame_type
                add     hl,de
                ld      (hl),b
                ld      a,b
                ld      de,(frame_crc_in)
                call    crc_update
_keep_crc:      ld      (frame_crc_in),de
_partial:       ld      a,FRAME_PARTIAL
                or      a
                ret
_noise:         xor     a               ; no frame is so long
                ld      (frame_open),a
                jr      _partial

_flag:          ld      hl,frame_open
                ld      a,(hl)
                ld      (hl),1          ; a flag that ends no sound frame begins one
                ld      c,a
                ld      hl,0
                ld      (frame_xor),hl  ; and frame_bit7
                ld      hl,frame_count
                ld      a,(hl)
                ld      (hl),0
                sub     4
                ld      b,a             ; B payload bytes, carry when less than a head and a CRC
                ld      hl,(frame_crc_in)
                ld      de,CRC_START
                jr      c,_keep_crc
                dec     c
                jr      nz,_keep_crc    ; was not open
                push    hl
                ld      (frame_crc_in),de
                pop     hl
                ld      de,CRC_GOOD
                or      a
                sbc     hl,de
                jr      nz,_partial
                ld      a,b
                ld      (frame_length),a
                xor     a
                ld      (frame_open),a
                ld      a,FRAME_COMPLETE
                or      a
                ret

; Begins a frame that answers the present request.
;   enter: A its type
;   uses: AF, DE, HL
;   size: 19 bytes
;   time: 866 T
frame_begin:    push    af
                ld      a,FRAME_FLAG
                call    bdos_put
                ld      hl,CRC_START
                ld      (frame_crc_out),hl
                pop     af
                call    frame_byte
                ld      a,(service_seq)
                ; fall through

; Sends a byte of a frame.
;   enter: A the byte
;   uses: AF, DE
;   size: 17 bytes
;   time: 327 to 663 T
frame_byte:     push    bc
                push    hl
                push    af
                ld      de,(frame_crc_out)
                call    crc_update
                ld      (frame_crc_out),de
                pop     af
                pop     hl
                pop     bc
                ; fall through

; Sends a byte so that only printable characters cross the line.
;   enter: A the byte
;   uses: AF
;   size: 34 bytes
;   time: 156 to 492 T
frame_escape:   or      a
                jp      p,_low
                push    af
                ld      a,FRAME_HIGH
                call    bdos_put
                pop     af
                and     7Fh
_low:           cp      ' '
                jr      c,_escaped
                cp      FRAME_HIGH
                jp      c,bdos_put
_escaped:       push    af
                ld      a,FRAME_ESCAPE
                call    bdos_put
                pop     af
                xor     FRAME_XOR
                jp      bdos_put

; Sends two bytes, low first.
;   enter: HL the word
;   uses: AF, DE
;   size: 7 bytes
;   time: 691 to 1,363 T
frame_word:     ld      a,l
                call    frame_byte
                ld      a,h
                jr      frame_byte

; Sends bytes.
;   enter: HL where, B how many (not 0)
;   exit: HL behind them
;   uses: AF, B, DE, HL
;   size: 8 bytes
;   time: 375 to 12,111 T
frame_bytes:    ld      a,(hl)
                inc     hl
                call    frame_byte
                djnz    frame_bytes
                ret

; Sends bytes that are 0.
;   enter: B how many (not 0)
;   uses: AF, B, DE
;   size: 7 bytes
;   time: 527 to 8,357 T
frame_zeros:    xor     a
                call    frame_byte
                djnz    frame_zeros
                ret

; Sends a text without its end.
;   enter: HL the text, NUL at its end
;   exit: HL behind the NUL
;   uses: AF, DE, HL
;   size: 9 bytes
;   time: 28 to 1,918 T
frame_text:     ld      a,(hl)
                inc     hl
                or      a
                ret     z
                call    frame_byte
                jr      frame_text

; Sends the CRC and the flag.
;   uses: AF, HL
;   size: 18 bytes
;   time: 506 to 1,154 T
frame_end:      ld      hl,(frame_crc_out)
                ld      a,l
                cpl
                call    frame_escape
                ld      a,h
                cpl
                call    frame_escape
                ld      a,FRAME_FLAG
                jp      bdos_put
