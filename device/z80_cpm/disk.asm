; Models on the CP/M disk: list, load, and take an upload under a temporary name.
;
; An upload is NAME.$$$ until its CRC-32 is right and the engine takes it; only then NAME.ULB is replaced.

PROGRESS_RECORDS equ    16      ; between two progress frames: a slow disk takes most of a second for them

; Names a model in the file control block.
;   enter: HL the name, B its length
;   exit: Z when it is empty
;   uses: AF, B, DE, HL
;   size: 3 bytes
;   time: 646 to 704 T
disk_name:      ld      de,FCB
                ; fall through

; The same in the file control block DE.
;   size: 47 bytes
;   time: 626 to 774 T
disk_name_at:   xor     a
                ld      (de),a                  ; the current drive
                inc     de
                push    de
                ld      c,8
_next:          ld      a,b
                or      a
                jr      z,_pad
                ld      a,(hl)
                cp      '.'
                jr      z,_pad
                inc     hl
                dec     b
                cp      'a'
                jr      c,_upper
                cp      'z'+1
                jr      nc,_upper
                sub     20h
_upper:         ld      (de),a
                inc     de
                dec     c
                jr      nz,_next
_pad:           inc     c
                jr      _padded
_blank:         ld      a,' '
                ld      (de),a
                inc     de
_padded:        dec     c
                jr      nz,_blank
                pop     hl
                ld      a,(hl)
                cp      ' '
                ret

; Writes the ending of a name.
;   enter: DE the file control block, HL the ending
;   exit: DE as it was
;   uses: AF, BC, HL
;   size: 14 bytes
;   time: 128 T
disk_ending:    push    de
                ex      de,hl
                ld      bc,9
                add     hl,bc
                ex      de,hl
                ld      bc,3
                ldir
                pop     de
                ret

; Clears the places behind a name: the file is read or written from its start.
;   enter: DE the file control block
;   exit: DE as it was
;   uses: AF, B, HL
;   size: 12 bytes
;   time: 642 T
disk_rewind:    ld      hl,12
                add     hl,de
                ld      b,33-12
_clear:         ld      (hl),0
                inc     hl
                djnz    _clear
                ret

; Bytes that an image may have, from its address to BDOS.
;   exit: HL
;   uses: AF, HL
;   size: 9 bytes
;   time: 41 T
disk_room:      ld      a,(TPA_TOP+1)
                sub     IMAGE_ADDRESS/256
                ld      h,a
                ld      l,0
                ret

; Whether the image whose header lies at HL can be run here.
;   enter: HL the header
;   exit: A a status, Z when it is OK
;   uses: AF, BC, DE, HL
;   size: 50 bytes
;   time: 81 to 236 T
disk_check:     ld      e,(hl)
                inc     hl
                ld      d,(hl)
                inc     hl
                ld      c,(hl)                  ; ABI
                ld      a,e
                sub     IMAGE_MAGIC%256
                ld      b,a
                ld      a,d
                sub     IMAGE_MAGIC/256
                or      b
                ld      a,STATUS_BAD_MODEL
                ret     nz
                ld      a,c
                cp      CPM_ABI
                ld      a,STATUS_BAD_ABI
                ret     nz
                ld      bc,CPM_AT_END-CPM_AT_ABI
                add     hl,bc
                ld      c,(hl)
                inc     hl
                ld      b,(hl)                  ; BC the first address behind it
                ld      hl,-ORIGIN
                add     hl,bc
                ld      (disk_needs),hl
                dec     bc
                ld      a,(TPA_TOP+1)
                dec     a
                cp      b
                ld      a,STATUS_TOO_LARGE
                jr      c,_large
                xor     a
                ret
_large:         or      a
                ret

; Loads the model FCB.ULB. What is in memory stays until the file's header is found right.
;   exit: A a status, Z when it is OK; model_status
;   uses: all but IX, IY
;   size: 27 bytes
;   time: 1,448 to 1,248,838 T
disk_load:      ld      hl,ending_model
                ld      de,FCB
                call    disk_ending
                call    disk_load_file
                cp      STATUS_NO_MODEL
                jr      z,_upload
                or      a
                ret
_upload:        ld      hl,ending_upload        ; whole, if its commit was cut between deleting and renaming
                ld      de,FCB
                call    disk_ending
                ; fall through

; Loads the model in the file of the file control block DE.
;   size: 81 bytes
;   time: 813 to 1,248,628 T
disk_load_file: ld      (disk_file),de
                call    disk_rewind
                ld      c,BDOS_OPEN
                call    bdos_file
                ld      b,STATUS_NO_MODEL
                jr      z,disk_missed
                ld      de,TAIL
                call    read
                ld      b,STATUS_BAD_MODEL
                jr      nz,disk_missed
                ld      hl,TAIL
                call    disk_check
                ld      b,a
                jr      nz,disk_missed
                ld      hl,TAIL
                ld      de,IMAGE_ADDRESS
                ld      bc,RECORD_BYTES
                ldir
                ld      hl,(IMAGE_ADDRESS+CPM_AT_LENGTH)
                ld      bc,IMAGE_ADDRESS
                add     hl,bc                   ; HL behind the image, DE where the next record goes
_record:        or      a
                push    hl
                sbc     hl,de
                pop     hl
                jr      z,_whole
                jr      c,_whole
                push    hl
                push    de
                call    read
                pop     de
                push    af
                call    z,progress
                pop     af
                ld      hl,RECORD_BYTES
                add     hl,de
                ex      de,hl
                pop     hl
                jr      z,_record
_whole:         ; fall through

; Opens the image that is in memory.
;   exit: A a status, Z when it is OK; model_status
;   uses: all but IX, IY
;   size: 14 bytes
;   time: 134,587 to 1,194,427 T
disk_open:      call    engine_open
                ld      (model_status),a
                push    af
                xor     a
                ld      (IMAGE_ADDRESS),a       ; the next program must not find it
                pop     af
                or      a
                ret

; Notes why there is still no model, unless there is one.
;   enter: B the status
;   exit: A the status, NZ
;   size: 12 bytes
;   time: 47 to 55 T
disk_missed:    ld      a,(model_status)
                or      a
                ld      a,b
                jr      z,_kept
                ld      (model_status),a
_kept:          or      a
                ret

; Reads the next record.
;   enter: DE where to
;   exit: Z when it was read
;   uses: all but IX, IY
;   size: 16 bytes
;   time: 102 T
read:           ld      c,BDOS_SET_DMA
                call    BDOS
                ld      de,(disk_file)
                ld      c,BDOS_READ
                call    BDOS
                or      a
                ret

; Sends a progress frame now and then, where a request waits.
;   enter: DE the address of the record
;   uses: AF, BC, HL
;   size: 53 bytes
;   time: 28 to 6,760 T
progress:       ld      a,(service_waits)
                or      a
                ret     z
                ld      hl,-IMAGE_ADDRESS
                add     hl,de                   ; HL bytes so far, a multiple of a record
                ld      a,l
                or      a
                ret     nz
                ld      a,h
                and     PROGRESS_RECORDS/2-1
                ret     nz
                push    de
                push    hl
                ld      a,OP_PROGRESS
                call    frame_begin
                ld      a,1
                call    frame_byte
                pop     hl
                call    frame_word
                ld      b,2
                call    frame_zeros
                ld      hl,(IMAGE_ADDRESS+CPM_AT_LENGTH)
                call    frame_word
                ld      b,2
                call    frame_zeros
                call    frame_end
                pop     de
                ret

; Lists the models on the disk.
;   uses: all but IX, IY
;   size: 83 bytes
;   time: 5,633 T
disk_list:      ld      de,TAIL
                ld      c,BDOS_SET_DMA
                call    BDOS
                ld      hl,UPLOAD_FCB
                ld      (hl),0                  ; the current drive
                ld      b,8
_any:           inc     hl
                ld      (hl),'?'
                djnz    _any
                ld      de,UPLOAD_FCB
                ld      hl,ending_model
                call    disk_ending
                call    disk_rewind
                ld      c,BDOS_FIRST
                call    bdos_file
                ld      hl,text_none
                jp      z,bdos_text
_entry:         rrca                            ; the entry's number times 32
                rrca
                rrca
                add     a,TAIL+1
                ld      l,a
                ld      h,0
                push    hl
                ld      hl,text_new_line
                call    bdos_text
                pop     hl
                ld      b,8
_letter:        ld      a,(hl)
                inc     hl
                and     7Fh
                cp      ' '
                call    nz,bdos_put
                djnz    _letter
                ld      de,UPLOAD_FCB
                ld      c,BDOS_NEXT
                call    bdos_file
                jr      nz,_entry
                ret

; Begins an upload.
;   enter: HL name, B its length; upload_length, upload_crc
;   exit: A a status, HL a value for it
;   uses: all but IX, IY
;   size: 73 bytes
;   time: 2,669 to 2,817 T
disk_begin:     push    hl
                push    bc
                call    disk_abort
                call    disk_room
                ld      de,(upload_length)
                or      a
                sbc     hl,de
                pop     bc
                pop     hl
                ld      a,STATUS_TOO_LARGE
                ret     c
                ld      de,UPLOAD_FCB
                call    disk_name_at
                ld      a,STATUS_BAD_LENGTH
                ret     z
                ld      de,UPLOAD_FCB
                ld      hl,ending_upload
                call    disk_ending
                call    delete                  ; of an upload that was cut
                ld      de,UPLOAD_FCB
                call    disk_rewind
                ld      c,BDOS_MAKE
                call    bdos_file
                ld      a,STATUS_MEDIUM
                ret     z
                ld      hl,0
                ld      (upload_position),hl
                dec     hl
                ld      (upload_sum),hl
                ld      (upload_sum+2),hl
                ld      a,1
                ld      (uploading),a
                ; fall through

; How much of the upload is there.
;   exit: A STATUS_OK, HL in units of 512 bytes
;   uses: AF, HL
;   size: 10 bytes
;   time: 49 T
disk_progress:  ld      hl,(upload_position)
                ld      l,h
                srl     l
                ld      h,0
                xor     a
                ret

; Takes the next byte of the upload.
;   enter: A the byte
;   exit: A a status, Z when it is OK; else the upload is over
;   uses: all but IX, IY
;   size: 32 bytes
;   time: 708 to 1,175 T
disk_put:       ld      c,a
                ld      de,(upload_position)
                ld      a,e
                and     RECORD_BYTES-1
                add     a,TAIL
                ld      l,a
                ld      h,0
                ld      (hl),c
                inc     de
                ld      (upload_position),de
                ld      a,c
                push    de
                call    crc32
                pop     de
                ld      a,e
                and     RECORD_BYTES-1
                jr      z,write
                xor     a
                ret

; Writes the record; the first one is looked at before.
;   enter: DE upload_position
;   exit: A a status, Z when it is OK; else the upload is over
;   uses: all but IX, IY
;   size: 34 bytes
;   time: 146 T
write:          ld      hl,-RECORD_BYTES-1
                add     hl,de
                ld      hl,TAIL
                jr      c,_write                ; not the first
                call    disk_check
                jr      nz,disk_fail
_write:         ld      de,TAIL
                ld      c,BDOS_SET_DMA
                call    BDOS
                ld      de,UPLOAD_FCB
                ld      c,BDOS_WRITE
                call    BDOS
                or      a
                ret     z
                ld      a,STATUS_MEDIUM
                ; fall through

; Gives an upload up.
;   enter: A a status
;   exit: A the same, NZ
;   uses: all but IX, IY
;   size: 7 bytes
;   time: not measured
disk_fail:      push    af
                call    disk_abort
                pop     af
                or      a
                ret

; Forgets an upload and its file, if there is one.
;   uses: all but IX, IY
;   size: 8 bytes
;   time: 42 to 766 T
disk_abort:     ld      hl,uploading
                ld      a,(hl)
                ld      (hl),0
                or      a
                ret     z
                ; fall through

; Deletes the upload's file.
;   uses: all but IX, IY
;   size: 11 bytes
;   time: 730 T
delete:         ld      de,UPLOAD_FCB
                call    disk_rewind
                ld      c,BDOS_DELETE
                jp      bdos_file

; Ends an upload: checks it, loads it, and puts it in the place of the old file.
;   enter: HL the CRC-32 that it should have
;   exit: A a status
;   uses: all but IX, IY
;   size: 131 bytes
;   time: 94 to 432,368 T
disk_commit:    push    hl
                ld      hl,(upload_position)
                ld      de,(upload_length)
                or      a
                sbc     hl,de
                pop     hl
                ld      a,STATUS_BAD_ORDER
                ret     nz
                ld      de,upload_sum
                ld      b,4
_compare:       ld      a,(de)
                cpl
                cp      (hl)
                ld      a,STATUS_BAD_CRC
                jr      nz,disk_fail
                inc     hl
                inc     de
                djnz    _compare
                ld      de,(upload_position)
                ld      a,e
                and     RECORD_BYTES-1
                call    nz,write                ; what a whole record lacks is anything
                ret     nz
                ld      de,UPLOAD_FCB
                ld      c,BDOS_CLOSE
                call    bdos_file
                ld      a,STATUS_MEDIUM
                jr      z,disk_fail
                ld      de,UPLOAD_FCB
                call    disk_load_file
                jr      nz,_bad
                xor     a
                ld      (uploading),a
                ld      hl,UPLOAD_FCB
                ld      de,FCB
                ld      bc,9
                ldir
                ld      de,FCB
                ld      hl,ending_model
                call    disk_ending
                call    disk_rewind
                ld      c,BDOS_DELETE
                call    bdos_file
                ld      hl,FCB
                ld      de,UPLOAD_FCB+16
                ld      bc,12
                ldir
                ld      de,UPLOAD_FCB
                ld      c,BDOS_RENAME
                call    bdos_file
                ld      a,STATUS_MEDIUM
                ret     z
                xor     a
                ret
_bad:           call    disk_fail
                push    af
                ld      a,(model_status)
                or      a
                call    nz,disk_load            ; the old one again
                pop     af
                ret

; CRC-32 of an upload, bit by bit: 600 T a byte, a tenth of a byte time at 9600 baud.
;   enter: A the byte; upload_sum
;   uses: AF, B, DE, HL
;   size: 47 bytes
;   time: 548 to 988 T
crc32:          ld      hl,(upload_sum)
                ld      de,(upload_sum+2)
                xor     l
                ld      l,a
                ld      b,8
_bit:           srl     d
                rr      e
                rr      h
                rr      l
                jr      nc,_even
                ld      a,l
                xor     20h
                ld      l,a
                ld      a,h
                xor     83h
                ld      h,a
                ld      a,e
                xor     0B8h
                ld      e,a
                ld      a,d
                xor     0EDh
                ld      d,a
_even:          djnz    _bit
                ld      (upload_sum),hl
                ld      (upload_sum+2),de
                ret

ending_model:   defb    "ULB"
ending_upload:  defb    "$$$"
