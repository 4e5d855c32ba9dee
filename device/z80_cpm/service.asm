; What a request means and how it is answered (docs/protocol.md). Half-duplex: while a reply is made nothing is
; heard, so STOP comes as the host's answer to a character.

OUTPUTS_PER_FRAME equ   (MAX_PAYLOAD-2)/2
NO_SEQ          equ     0

; Greets; then serves frames and typed lines for ever.
;   size: 45 bytes
;   time: not measured
service_run:    call    console_begin
_wait:          ld      a,(frame_open)
                or      a
                jr      z,_type
                call    bdos_listen
                jr      nz,_byte
                call    console_unframe         ; a person typed '~'
                jr      _wait
_type:          call    bdos_poll
                jr      z,_type
_byte:          ld      (service_byte),a
                call    frame_receive
                ld      hl,_wait
                push    hl
                cp      FRAME_PARTIAL
                ret     z
                jr      nc,service_answer
                ld      a,(service_byte)
                jp      console_byte

; Answers the request in the frame. One that was acknowledged is not done again.
;   uses: all but IX, IY
;   size: 60 bytes
;   time: 3,526 to 1,253,655 T
service_answer: ld      hl,(frame_type)         ; type, seq
                ld      a,h
                ld      (service_seq),a
                ld      de,(acked)
                or      a
                sbc     hl,de
                jr      z,again
                ld      hl,NO_SEQ
                ld      (acked),hl
                ld      a,(frame_type)
                ld      hl,requests
_find:          cp      (hl)
                inc     hl
                jr      z,_found
                inc     hl
                inc     hl
                ld      c,a
                ld      a,(hl)
                or      a
                ld      a,c
                jr      nz,_find
                ld      l,a                     ; the last is no request
                ld      h,0
                ld      a,STATUS_UNKNOWN
                jr      acknowledge
_found:         ld      e,(hl)
                inc     hl
                ld      d,(hl)
                ld      hl,acknowledge_0        ; where commands return to
                ex      de,hl
                push    de
                ld      a,(frame_length)
                ld      c,a
                jp      (hl)                    ; C the length of the payload

requests:       defb    OP_HELLO
                defw    hello
                defb    OP_INFO
                defw    info
                defb    OP_QUERY
                defw    query
                defb    OP_CHAT
                defw    chat
                defb    OP_STOP
                defw    stop
                defb    OP_LOAD
                defw    load
                defb    OP_BEGIN
                defw    begin
                defb    OP_DATA
                defw    data
                defb    OP_COMMIT
                defw    commit
                defb    OP_SLEEP
                defw    sleep
                defb    0

; Acknowledges a request, and remembers that.
;   enter: A the status, HL a value (acknowledge_0: none)
;   uses: AF, DE, HL
;   size: 3 bytes
;   time: 3,041 to 3,689 T
acknowledge_0:  ld      hl,0
acknowledge:    ld      (acked_status),a
                ld      (acked_value),hl
                ld      hl,(frame_type)
                ld      (acked),hl
again:          ld      a,OP_ACK
                call    frame_begin
                ld      a,(acked_status)
                call    frame_byte
                ld      hl,(acked_value)
                call    frame_word
                jp      frame_end

; The requests, which service_answer jumps to.
;   enter: C the length of the payload, and on the stack acknowledge_0
;   exit: a command returns to that, A its status; the others drop it and answer themselves
;   uses: all but IX, IY

; Stops nothing: while a reply is made, STOP is heard elsewhere.
;   size: 2 bytes
;   time: 14 T
stop:           xor     a                       ; nothing is running
                ret

; There is no clock to stop.
;   size: 3 bytes
;   time: 17 T
sleep:          ld      a,STATUS_UNSUPPORTED
                ret

; Says who answers. Memory of the last request ends, so that a new conversation may use its numbers.
;   size: 59 bytes
;   time: 18,947 T
hello:          pop     hl
                ld      hl,NO_SEQ
                ld      (acked),hl
                xor     a
                ld      (answered_seq),a
                ld      a,OP_IS_HELLO
                call    frame_begin
                ld      hl,facts
                ld      b,FACTS_BYTES
                call    frame_bytes
                ld      a,(model_status)
                call    frame_byte
                ld      a,(model_status)
                or      a
                jr      nz,_end
                ld      a,(IMAGE_ADDRESS+CPM_AT_MAX_QUERY)
                call    frame_byte
                ld      hl,IMAGE_ADDRESS+CPM_AT_MODEL_CRC
                ld      b,4
                call    frame_bytes
                ld      hl,(IMAGE_ADDRESS+CPM_AT_NAME)
                call    frame_text
_end:           jp      frame_end

; Says how large everything is.
;   size: 107 bytes
;   time: 18,440 T
info:           pop     hl
                ld      a,OP_IS_INFO
                call    frame_begin
                ld      a,CPM_ABI
                call    frame_byte
                ld      hl,IMAGE_ADDRESS
                call    long
                call    disk_room
                call    long
                ld      hl,runtime_end-ORIGIN
                call    frame_word
                ld      hl,IMAGE_ADDRESS-runtime_end
                call    frame_word
                ld      a,(model_status)
                call    frame_byte
                ld      hl,0
                ld      de,0
                ld      a,(model_status)
                or      a
                jr      nz,_none
                ld      hl,(IMAGE_ADDRESS+CPM_AT_LENGTH)
_none:          call    long
                ld      hl,stack_bottom-1
_untouched:     inc     hl
                ld      a,(hl)
                cp      STACK_PAINT
                jr      z,_untouched
                ex      de,hl
                ld      hl,stack_top
                or      a
                sbc     hl,de
                call    frame_word
                ld      hl,0                    ; no clock
                call    long
                ld      a,SLOT_MAIN
                call    frame_byte
                ld      hl,IMAGE_ADDRESS
                ld      a,(model_status)
                or      a
                jr      nz,_top
                ld      hl,(IMAGE_ADDRESS+CPM_AT_END)
_top:           call    frame_word
                jp      frame_end

; Sends HL as four bytes.
;   enter: HL the number
;   uses: AF, DE, HL
;   size: 9 bytes
;   time: 1,741 to 2,065 T
long:           call    frame_word
                ld      hl,0
                jp      frame_word

; Takes the part of a query at `offset`; a part that was taken before is not taken twice.
;   size: 13 bytes
;   time: 22 to 114,704 T
query:          dec     c
                ld      a,STATUS_BAD_LENGTH
                ret     m
                ld      hl,frame_payload
                call    take
                pop     de
                jr      limit

; Acknowledges with the longest query.
;   enter: A the status
;   uses: AF, DE, HL
;   size: 18 bytes
;   time: 3,102 to 3,428 T
limit:          ld      e,a
                ld      a,(model_status)
                or      a
                ld      hl,0
                jr      nz,_none
                ld      a,(IMAGE_ADDRESS+CPM_AT_MAX_QUERY)
                ld      l,a
_none:          ld      a,e
                jp      acknowledge

; Takes a part of a query.
;   enter: HL its offset, the bytes behind it, C how many
;   exit: A a status
;   uses: all but IX, IY
;   size: 53 bytes
;   time: 94 to 111,537 T
take:           ld      a,(model_status)
                or      a
                ret     nz
                ld      e,(hl)
                inc     hl
                ld      a,e
                add     a,c
                ld      d,a                     ; D the length afterwards
                ld      a,STATUS_TOO_LONG
                ret     c
                ld      a,(IMAGE_ADDRESS+CPM_AT_MAX_QUERY)
                cp      d
                ld      a,STATUS_TOO_LONG
                ret     c
                ld      a,e
                or      a
                jr      z,_first
                ld      a,(query_length)
                cp      d
                jr      z,_taken
                cp      e
                ld      a,STATUS_BAD_ORDER
                ret     nz
_first:         ld      b,c
                ld      a,d
                ld      (query_length),a
                push    hl
                push    bc
                ld      a,e
                or      a
                call    z,reply_begin
                pop     bc
                pop     hl
                call    reply_query
_taken:         xor     a
                ret

; Asks the model. The last answer is given again from memory.
;   size: 85 bytes
;   time: 185,526 to 258,353 T
chat:           pop     hl
                ld      a,(service_seq)
                ld      hl,answered_seq
                cp      (hl)
                jr      z,_again
                ld      l,c
                ld      h,0
                dec     c
                dec     c
                ld      a,STATUS_BAD_LENGTH
                jp      m,acknowledge
                ld      hl,frame_payload+1
                call    take
                or      a
                jr      nz,limit
                ld      a,(frame_payload)
                and     CHAT_VERIFY
                xor     CHAT_VERIFY
                ld      (reply_act),a
                ld      hl,each
                ld      (reply_each),hl
                call    reply_run
                xor     a
                ld      (query_length),a
                ld      a,(service_seq)
                ld      (answered_seq),a
                jr      _end
_again:         xor     a
                call    text
_end:           ld      a,OP_END
                call    frame_begin
                ld      hl,reply_status
                ld      b,5
                call    frame_bytes
                ld      b,16                    ; no cycles are counted
                call    frame_zeros
                jp      frame_end

; Sends what a pass gave, and hears whether to stop.
;   enter: A the length of the text before it
;   exit: carry to stop
;   uses: all but IX, IY
;   size: 16 bytes
;   time: 161 to 66,573 T
each:           push    af
                ld      a,(reply_act)
                or      a
                call    z,outputs
                pop     af
                ld      hl,reply_length
                cp      (hl)
                call    nz,text
                ; fall through

; Whether the host says STOP. A byte that came while nobody listened shows that it wants to speak: then it is heard
; out, until a whole pause is silent.
;   exit: carry for STOP
;   uses: all but IX, IY
;   size: 29 bytes
;   time: 86 T
stopped:        call    bdos_poll
                ret     z                       ; no carry
_heard:         call    frame_receive
                cp      FRAME_COMPLETE
                jr      nz,_listen
                ld      a,(frame_type)
                sub     OP_STOP
                sub     1
                ret     c
_listen:        call    bdos_listen
                jr      nz,_heard
                xor     a
                ld      (frame_open),a
                ret

; Sends the text of the reply.
;   enter: A from where
;   uses: AF, BC, DE, HL
;   size: 30 bytes
;   time: 2,398 to 2,724 T
text:           push    af
                ld      a,OP_TEXT
                call    frame_begin
                pop     af
                push    af
                call    frame_byte
                pop     af
                ld      e,a
                ld      d,0
                ld      hl,reply_text
                add     hl,de
                ld      a,(reply_length)
                sub     e
                ld      b,a
                call    nz,frame_bytes
                jp      frame_end

; Sends the outputs of the last pass.
;   uses: all but IX, IY
;   size: 46 bytes
;   time: 63,674 to 64,024 T
outputs:        ld      c,0                     ; C the next output
_frame:         ld      a,OP_LOGITS
                call    frame_begin
                ld      a,(reply_passes)
                dec     a
                call    frame_byte
                ld      a,c
                call    frame_byte
                ld      b,OUTPUTS_PER_FRAME
_output:        ld      a,c
                push    bc
                call    engine_output
                call    frame_word
                pop     bc
                inc     c
                ld      a,(IMAGE_ADDRESS+CPM_AT_CLASSES)
                cp      c
                jr      z,_last
                djnz    _output
                call    frame_end
                jr      _frame
_last:          jp      frame_end

; Loads a model from the disk.
;   size: 21 bytes
;   time: 2,850 to 1,249,754 T
load:           call    disk_abort              ; both need the record buffer
                ld      hl,frame_payload
                ld      a,(frame_length)
                ld      b,a
                call    disk_name
                ld      a,STATUS_NO_MODEL
                ret     z
                ld      hl,disk_load
                jr      working

; Calls HL, a work that takes long: progress frames are sent.
;   exit: A a status
;   uses: all but IX, IY
;   size: 16 bytes
;   time: 189 to 1,248,913 T
working:        ld      a,1
                ld      (service_waits),a
                ld      de,_done
                push    de
                jp      (hl)
_done:          ld      hl,service_waits
                ld      (hl),0
                ret

; Begins an upload, or tells how much of it is there.
;   size: 79 bytes
;   time: 6,477 to 7,081 T
begin:          ld      a,c
                sub     9
                ld      a,STATUS_BAD_LENGTH
                ret     c
                ld      a,(frame_payload)
                or      a
                ld      a,STATUS_UNSUPPORTED
                ret     nz                      ; there is no other place
                ld      hl,(frame_payload+3)
                ld      a,h
                or      l
                ld      a,STATUS_TOO_LARGE
                ret     nz
                ld      hl,frame_payload+1
                ld      de,upload_length
                ld      a,(uploading)
                or      a
                jr      z,_new
                ld      b,8
_compare:       ld      a,(de)
                cp      (hl)
                jr      nz,_new
                inc     hl
                inc     de
                djnz    _compare
                call    disk_progress
                jr      _answer
_new:           push    bc
                call    disk_abort
                ld      hl,frame_payload+1
                ld      de,upload_length
                ld      bc,8
                ldir
                pop     bc
                ld      a,c
                sub     9
                ld      b,a
                call    disk_begin
_answer:        pop     de
                or      a
                jp      z,acknowledge
                jp      acknowledge_0

; Takes bytes of an upload in order. What is there already is skipped.
;   size: 78 bytes
;   time: 34,069 to 63,178 T
data:           ld      a,c
                sub     4
                ld      b,a                     ; B how many
                ld      a,STATUS_BAD_LENGTH
                ret     c
                ld      a,(uploading)
                or      a
                jr      z,_order
                ld      hl,(frame_payload+2)
                ld      a,h
                or      l
                jr      nz,_order
                ld      de,(frame_payload)
                ld      hl,(upload_position)
                sbc     hl,de                   ; HL bytes to skip
                jr      c,_order
                ld      a,h
                or      a
                jr      nz,_old
                ld      a,b
                sub     l
                jr      c,_old
                jr      z,_old
                ld      b,a
                ld      de,frame_payload+4
                add     hl,de
_byte:          ld      a,(hl)
                inc     hl
                push    hl
                push    bc
                call    disk_put
                pop     bc
                pop     hl
                ret     nz
                djnz    _byte
                ld      hl,(upload_length)
                ld      de,(upload_position)
                or      a
                sbc     hl,de
                ld      a,STATUS_BAD_LENGTH
                jp      c,disk_fail
_old:           xor     a
                ret
_order:         ld      a,STATUS_BAD_ORDER
                ret

; Ends an upload.
;   size: 19 bytes
;   time: 261 to 432,535 T
commit:         ld      a,(uploading)
                or      a
                ld      a,STATUS_BAD_ORDER
                ret     z
                ld      a,c
                sub     4
                ld      a,STATUS_BAD_LENGTH
                ret     nz
                ld      hl,commit_work
                jp      working

commit_work:    ld      hl,frame_payload
                jp      disk_commit
