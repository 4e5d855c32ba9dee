; The console through BDOS function 6, which alone changes nothing: no look-ahead, no tabs, no ^S. It is never
; mixed with functions 1, 2, 9, 10 and 11. Bit 7 is dropped: some lines put a parity bit there.

BDOS            equ     0005h
BDOS_DIRECT     equ     6
BDOS_OPEN       equ     15
BDOS_CLOSE      equ     16
BDOS_FIRST      equ     17
BDOS_NEXT       equ     18
BDOS_DELETE     equ     19
BDOS_READ       equ     20
BDOS_WRITE      equ     21
BDOS_MAKE       equ     22
BDOS_RENAME     equ     23
BDOS_SET_DMA    equ     26
WARM_BOOT       equ     0000h
TPA_TOP         equ     0006h   ; word: BDOS's entry; its page is the first that is not ours
FCB             equ     005Ch
TAIL            equ     0080h   ; length and text of the command line; later the record buffer
RECORD_BYTES    equ     128
PAUSE_POLLS     equ     2048    ; 0.25 s at 4 MHz: longer than between two bytes of a host

; The next typed byte, if there is one; never waits.
;   exit: A the byte, Z when there is none
;   uses: all but IX, IY
;   size: 10 bytes
;   time: 58 T
bdos_poll:      ld      e,0FFh
                ld      c,BDOS_DIRECT
                call    BDOS
                and     7Fh
                ret

; As bdos_poll, but waits up to a pause.
;   exit: A the byte, Z when a whole pause was silent
;   uses: all but IX, IY
;   size: 15 bytes
;   time: 879 to 260,111 T
bdos_listen:    ld      hl,PAUSE_POLLS
_again:         push    hl
                call    bdos_poll
                pop     hl
                ret     nz
                dec     hl
                ld      a,h
                or      l
                jr      nz,_again
                ret

; Shows or sends a character.
;   enter: A the character, 00h to 7Fh
;   uses: AF
;   size: 13 bytes
;   time: 111 T
bdos_put:       push    bc
                push    de
                push    hl
                ld      e,a
                ld      c,BDOS_DIRECT
                call    BDOS
                pop     hl
                pop     de
                pop     bc
                ret

; Shows a text.
;   enter: HL the text, NUL at its end
;   exit: HL behind the NUL
;   uses: AF, HL
;   size: 9 bytes
;   time: 28 to 4,888 T
bdos_text:      ld      a,(hl)
                inc     hl
                or      a
                ret     z
                call    bdos_put
                jr      bdos_text

; Shows a number in decimal.
;   enter: HL the number
;   uses: AF, BC, DE, HL
;   size: 27 bytes
;   time: 893 to 4,541 T
bdos_number:    ld      de,10
                ld      c,e
                xor     a
                ld      b,16
_divide:        add     hl,hl           ; HL the quotient, A the rest
                rla
                cp      c
                jr      c,_less
                sub     c
                inc     l
_less:          djnz    _divide
                add     a,'0'
                push    af
                ld      a,h
                or      l
                call    nz,bdos_number
                pop     af
                jr      bdos_put

; One call on a file.
;   enter: C the function, DE the file control block
;   exit: A what BDOS says, Z when that is FFh: not found, or full
;   uses: all but IX, IY
;   size: 6 bytes
;   time: 44 T
bdos_file:      call    BDOS
                cp      0FFh
                ret
