; Makes replies: spells characters, or picks a text and performs its action. Used by frames and by the console alike.

; Begins a reply. The query follows, in one part or more, with reply_query.
;   uses: all but IX, IY
;   size: 9 bytes
;   time: 1,515 to 8,824 T
reply_begin:    ld      hl,0
                ld      (reply_length),hl       ; and reply_passes
                jp      engine_query_begin

; Adds a part of the query.
;   enter: HL the bytes, B how many
;   exit: HL behind them
;   uses: all but IX, IY
;   size: 15 bytes
;   time: 1,656 to 102,486 T
reply_query:    inc     b
                jr      _any
_byte:          ld      a,(hl)
                inc     hl
                push    hl
                push    bc
                call    engine_query_add
                pop     bc
                pop     hl
_any:           djnz    _byte
                ret

; Makes the reply to the query. After each pass reply_each is called, a routine
;   enter: A the length of the text before this pass
;   exit: carry to stop
; Actions are performed, and their values shown, only where reply_act is not 0.
;   exit: reply_status, reply_length, reply_passes, reply_digest, reply_text
;   uses: all but IX, IY
;   size: 144 bytes
;   time: 15,158 to 234,405 T
reply_run:      call    engine_query_end
_pass:          call    engine_pass
                ld      hl,reply_passes
                inc     (hl)
                ld      hl,reply_length
                ld      e,(hl)
                push    de                      ; E the length so far
                ld      e,a
                ld      a,(IMAGE_ADDRESS+CPM_AT_KIND)
                cp      KIND_CHARACTER
                jr      nz,_text
                ld      a,(IMAGE_ADDRESS+CPM_AT_CLASSES)
                dec     a
                cp      e
                jr      z,_last                 ; the class that ends a reply
                ld      d,0
                ld      hl,(IMAGE_ADDRESS+CPM_AT_CHARSET)
                add     hl,de
                ld      a,(hl)
                push    af
                call    put
                pop     af
                call    engine_context_add
                ld      a,(IMAGE_ADDRESS+CPM_AT_MAX_REPLY)
                ld      hl,reply_length
                sub     (hl)
                jr      nz,_go_on
_last:          xor     a
_go_on:         ld      (reply_left),a          ; 0 when this was the last pass
                call    engine_digest
                ld      (reply_digest),hl
                pop     de
                ld      a,e
                ld      hl,(reply_each)
                call    jump_hl
                ld      a,(reply_left)
                ld      hl,reply_status
                ld      (hl),STATUS_STOPPED
                jr      c,_stopped
                ld      (hl),STATUS_OK
                or      a
                jr      nz,_pass
                ret
_stopped:       or      a
                ret     nz
                ld      (hl),STATUS_OK          ; it had ended anyway
                ret

_text:          ld      d,0                     ; E the class
                ld      hl,(IMAGE_ADDRESS+CPM_AT_REPLIES)
                add     hl,de
                add     hl,de
                ld      e,(hl)
                inc     hl
                ld      d,(hl)
                ex      de,hl
                ld      c,(hl)                  ; C the action
_character:     inc     hl
                ld      a,(hl)
                or      a
                jr      z,_last
                cp      VALUE_MARK
                jr      z,_value
                call    put
                jr      _character
_value:         ld      a,(reply_act)
                or      a
                jr      nz,_act
                ld      a,'{'
                call    put
                ld      a,'}'
                jr      _put
_act:           call    value
                add     a,'0'
_put:           call    put
                jr      _character

; Calls the routine whose address is in HL.
;   size: 1 bytes
;   time: 164 to 66,577 T
jump_hl:        jp      (hl)

; What an action gives. There are no pins and there is no clock: all but the dice give 0.
;   enter: C the action
;   exit: A the value
;   uses: AF
;   size: 15 bytes
;   time: 29 T
value:          ld      a,c
                sub     ACTION_DICE
                ld      a,0
                ret     nz
                ld      a,r                     ; counts instructions, also while a person types
_modulo:        sub     6
                jr      nc,_modulo
                add     a,7
                ret

; Appends a character to the reply, up to MAX_REPLY.
;   enter: A the character
;   uses: AF, DE
;   size: 22 bytes
;   time: 114 T
put:            push    hl
                ld      hl,reply_length
                ld      e,a
                ld      a,(hl)
                cp      MAX_REPLY
                jr      z,_full
                inc     (hl)
                ld      hl,reply_text
                add     a,l
                ld      l,a
                adc     a,h
                sub     l
                ld      h,a
                ld      (hl),e
_full:          pop     hl
                ret
