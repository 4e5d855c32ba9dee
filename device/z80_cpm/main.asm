; The runtime for CP/M: ULM.COM, and with an image behind it CHAT.COM. Assembled once; models are data.
;
; 0100h  jump, identity
; 0120h  kernel: blocks that images jump into
;        engine, shell, variables, stack
; 1800h  the engine's pages
; 2100h  image

                include "spec.inc"

ORIGIN          equ     CPM_ORIGIN
IMAGE_ADDRESS   equ     CPM_IMAGE_ADDRESS
STACK_PAINT     equ     0A5h

                org     ORIGIN
                jp      main

; The identity (host_sdk/spec/image.py): a mark, what HELLO says, the ABI of images.
                defb    "ULMR"
facts:          defb    PROTOCOL_REVISION
                defb    HELLO_SEVEN_BIT+HELLO_HALF_DUPLEX+HELLO_UPLOAD
                defb    MAX_PAYLOAD
                defw    0                       ; build, stamped in when it is shipped
                defw    SPEC_SUM
                defw    0,0                     ; the clock is not known
                defb    "cpm",0,0,0,0,0,0,0,0,0,0
FACTS_BYTES     equ     $-facts
                defb    CPM_ABI

                include "kernel.asm"
                include "engine.asm"
                include "bdos.asm"
                include "frame.asm"
                include "reply.asm"
                include "console.asm"
                include "disk.asm"
                include "service.asm"

; Starts: with a model in memory its query may stand on the command line, without one its name.
;   size: 127 bytes
;   time: not measured
main:           ld      a,7Fh
                inc     a
                jp      po,not_z80              ; an 8080 counts bits where a Z80 sees an overflow
                ld      sp,stack_top
                ld      hl,runtime_end
                ld      de,runtime_end+1
                ld      bc,stack_bottom-runtime_end-1
                ld      (hl),0
                ldir
                ld      h,d
                ld      l,e
                ld      (hl),STACK_PAINT
                inc     de
                ld      bc,stack_top-stack_bottom-1
                ldir
                call    crc_init
                ld      hl,TAIL                 ; will be the record buffer
                ld      c,(hl)
                ld      b,0
                inc     hl
                ld      de,line
                push    bc
                inc     bc
                ldir
                pop     bc
                ld      b,c
                ld      hl,IMAGE_ADDRESS
                push    bc
                call    disk_check
                pop     bc
                ld      hl,line
                cp      STATUS_BAD_MODEL
                jr      z,_runtime
                ld      (model_status),a
                or      a
                jr      nz,_serve
                push    bc
                call    disk_open
                pop     bc
                ld      hl,line
                jr      _query
_runtime:       ld      a,STATUS_NO_MODEL
                ld      (model_status),a
                call    console_trim
                jr      z,_serve
_word:          ld      a,(hl)                  ; behind the name
                cp      ' '
                jr      z,_named
                inc     hl
                djnz    _word
_named:         push    hl
                push    bc
                call    disk_load
                pop     bc
                pop     hl
_query:         ld      a,(model_status)
                or      a
                jr      nz,_serve
                call    console_trim
                jr      z,_serve
                call    console_ask             ; one question, and back to CP/M
                jp      console_leave
_serve:         jp      service_run

; In the instructions that every such processor has.
;   size: 11 bytes
;   time: not measured
not_z80:        ld      de,text_not_z80
                ld      c,9
                call    BDOS
                jp      WARM_BOOT
text_not_z80:   defb    "This program needs a Z80.$"

                include "variables.asm"
