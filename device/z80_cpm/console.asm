; A person at the terminal: a line editor of one screen line, and a reply for each line. `!` alone leaves, Ctrl-C
; stops a reply, drops a line, and leaves from an empty one.

LINE_BYTES      equ     80
CONTROL_C       equ     03h
BACKSPACE       equ     08h
LF              equ     0Ah
CR              equ     0Dh
DELETE          equ     7Fh
NOISE           equ     0FFh    ; line length of a line that no person typed

; Greets, and without a model says why and lists those there are.
;   uses: all but IX, IY
;   size: 26 bytes
;   time: 4,591 to 24,999 T
console_begin:  ld      hl,text_greeting
                call    bdos_text
                ld      a,(model_status)
                or      a
                jr      nz,_no_model
                ld      hl,(IMAGE_ADDRESS+CPM_AT_NAME)
                call    bdos_text
                jr      console_prompt
_no_model:      call    console_status
                call    disk_list
                ; fall through

; Asks for a line.
;   uses: AF, HL
;   size: 10 bytes
;   time: 713 T
console_prompt: ld      hl,text_prompt
                xor     a
                ld      (line_length),a
                jp      bdos_text

; Says why there is no model.
;   enter: A a status that is not OK
;   uses: AF, BC, DE, HL
;   size: 56 bytes
;   time: 4,915 to 15,619 T
console_status: ld      hl,text_no_model
                cp      STATUS_NO_MODEL
                jp      z,bdos_text
                ld      hl,text_abi
                cp      STATUS_BAD_ABI
                jp      z,bdos_text
                ld      hl,text_damaged
                cp      STATUS_TOO_LARGE
                jp      nz,bdos_text
                ld      hl,text_large
                call    bdos_text
                push    hl
                ld      hl,(disk_needs)
                call    bdos_number
                pop     hl
                call    bdos_text
                push    hl
                call    disk_room
                ld      de,IMAGE_ADDRESS-ORIGIN
                add     hl,de
                call    bdos_number
                pop     hl
                jp      bdos_text

; Takes a typed byte.
;   enter: A the byte
;   uses: all but IX, IY
;   size: 87 bytes
;   time: 95 to 183,219 T
console_byte:   ld      hl,line_length
                ld      e,(hl)
                cp      CR
                jr      z,_end
                cp      LF
                jr      nz,_no_end
                ld      a,e
                or      a
                ret     z                       ; of CR LF
_end:           ld      a,e
                cp      NOISE
                call    nz,answer
                jr      console_prompt
_no_end:        cp      CONTROL_C
                jr      nz,_no_control
                ld      a,e
                or      a
                jp      z,console_leave
                jr      console_prompt
_no_control:    ld      d,a
                ld      a,e
                cp      NOISE
                ret     z
                ld      a,d
                cp      BACKSPACE
                jr      z,_erase
                cp      DELETE
                jr      z,_erase
                cp      ' '
                jr      c,_refuse
                ld      a,e
                cp      LINE_BYTES
                jr      z,_refuse
                inc     (hl)
                ld      a,d
                ld      d,0
                ld      hl,line
                add     hl,de
                ld      (hl),a
                jp      bdos_put
_erase:         ld      a,e
                or      a
                ret     z
                dec     (hl)
                ld      hl,text_erase
                jp      bdos_text
_refuse:        ld      (hl),NOISE
                ld      hl,text_refused
                jp      bdos_text

; Takes the bytes of a frame that never ended as typed text.
;   uses: all but IX, IY
;   size: 30 bytes
;   time: 184,528 T
console_unframe:
                xor     a
                ld      (frame_open),a
                ld      a,FRAME_FLAG
                call    console_byte
                ld      a,(frame_count)
                or      a
                ret     z
                ld      b,a
                ld      hl,frame_type
_typed:         ld      a,(hl)
                inc     hl
                push    hl
                push    bc
                call    console_byte
                pop     bc
                pop     hl
                djnz    _typed
                ret

; Answers the line: with a reply, or where there is no model with the model of that name.
;   uses: all but IX, IY
;   size: 27 bytes
;   time: 120,287 to 182,430 T
answer:         ld      hl,line
                ld      b,e
                call    console_trim
                ret     z
                dec     b
                jr      nz,_asked
                ld      a,(hl)
                cp      '!'
                jr      z,console_leave
_asked:         inc     b
                ld      a,(model_status)
                or      a
                jr      z,console_reply
                call    disk_name
                ret     z
                ; fall through

; Loads the model that the file control block names, and shows its name.
;   uses: all but IX, IY
;   size: 20 bytes
;   time: not measured
console_load:   call    disk_load
                push    af
                ld      hl,text_new_line
                call    bdos_text
                pop     af
                jp      nz,console_status
                ld      hl,(IMAGE_ADDRESS+CPM_AT_NAME)
                jp      bdos_text

console_reply:  push    hl
                ld      hl,text_new_line
                call    bdos_text
                pop     hl
                ; fall through

; Asks the model and shows its reply while it is made.
;   enter: HL the query, B its length (not 0)
;   uses: all but IX, IY
;   size: 36 bytes
;   time: 24,310 to 181,806 T
console_ask:    ld      a,(IMAGE_ADDRESS+CPM_AT_MAX_QUERY)
                cp      b
                jr      c,_too_long
                push    hl
                push    bc
                call    reply_begin
                pop     bc
                pop     hl
                call    reply_query
                ld      hl,show
                ld      (reply_each),hl
                ld      a,1
                ld      (reply_act),a
                jp      reply_run
_too_long:      ld      hl,text_long
                jp      bdos_text

; Ends the program.
;   size: 9 bytes
;   time: not measured
console_leave:  ld      hl,text_new_line
                call    bdos_text
                jp      WARM_BOOT

; Drops blanks at both ends of a text.
;   enter: HL the text, B its length
;   exit: HL and B the same without them, Z when nothing is left
;   uses: AF, B, DE, HL
;   size: 27 bytes
;   time: 19 to 180 T
console_trim:   inc     b
_front:         dec     b
                ret     z
                ld      a,(hl)
                inc     hl
                cp      ' '
                jr      z,_front
                dec     hl
                ld      e,b
                ld      d,0
                push    hl
                add     hl,de
_back:          dec     hl
                ld      a,(hl)
                cp      ' '
                jr      nz,_found
                djnz    _back
_found:         pop     hl
                ld      a,b
                or      a
                ret

; Shows what a pass added.
;   enter: A the length of the text before it
;   exit: carry when Ctrl-C was typed
;   uses: all but IX, IY
;   size: 29 bytes
;   time: 160 to 616 T
show:           ld      e,a
                ld      d,0
                ld      hl,reply_text
                add     hl,de
                ld      a,(reply_length)
                sub     e
                jr      z,_shown
                ld      b,a
_show:          ld      a,(hl)
                inc     hl
                call    bdos_put
                djnz    _show
_shown:         call    bdos_poll
                sub     CONTROL_C
                sub     1                       ; carry when it was
                ret

text_greeting:  defb    CR,LF,"microLM on cpm: ",0
text_prompt:    defb    CR,LF,"> ",0
text_no_model:  defb    "no model, type the name of one",0
text_none:      defb    CR,LF,"no .ULB file on this disk",0
text_abi:       defb    "model is for another CPU or runtime",0
text_damaged:   defb    "model file is damaged",0
text_large:     defb    "model needs a TPA of ",0," bytes, here are ",0,0
text_erase:     defb    BACKSPACE," ",BACKSPACE,0
text_refused:   defb    CR,LF,"line refused",0
text_long:      defb    "too long, ask in fewer words",0
text_new_line:  defb    CR,LF,0
