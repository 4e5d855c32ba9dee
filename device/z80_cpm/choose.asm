; From sums of the last layer to class and digest.

; Chooses the largest output, the first of equals, and adds all to the digest. The program of an image ends here.
; exit:  A = class, to where engine_pass() was called
; uses:  all but IX, IY
; size:  117 bytes; 212 T an output with shift 2
choose:         ld      a,(IMAGE+CPM_AT_SHIFT)
                neg                             ; no call: SP is in a list
                add     a,7
                add     a,a
                add     a,a
                ld      (_shift+1),a
                ld      sp,(IMAGE+CPM_AT_OUTPUTS)
                ld      de,(engine_crc)
                ld      h,crc_table/256
                exx
                ld      a,(IMAGE+CPM_AT_CLASSES)
                ld      b,a
                ld      c,a
                ld      de,0                    ; less than every output
_output:        pop     hl
_shift:         jr      _sled
_sled:          rept    7
                sra     h
                rr      l
                endm
                ld      a,l
                exx
                xor     e
                ld      l,a
                ld      a,(hl)
                xor     d
                ld      e,a
                inc     h
                ld      d,(hl)
                dec     h
                exx
                ld      a,h
                exx
                xor     e
                ld      l,a
                ld      a,(hl)
                xor     d
                ld      e,a
                inc     h
                ld      d,(hl)
                dec     h
                exx
                ld      a,h
                xor     80h                     ; compares without sign
                ld      h,a
                ld      a,e
                sub     l
                ld      a,d
                sbc     a,h
                jr      c,_better
                djnz    _output
                jr      _done
_better:        ex      de,hl
                ld      c,b
                djnz    _output
_done:          exx
                ld      (engine_crc),de
                exx
                ld      a,(IMAGE+CPM_AT_CLASSES)
                sub     c
pass_stack:     ld      sp,0
                ei
                ret

; An output of the last pass.
; enter: A = row
; exit:  HL = output
; uses:  AF, BC, DE
; size:  27 bytes; 128 T and 29 T a shift
engine_output:  ld      l,a
                ld      h,0
                add     hl,hl
                ld      de,(IMAGE+CPM_AT_OUTPUTS)
                add     hl,de
                ld      e,(hl)
                inc     hl
                ld      d,(hl)
                ex      de,hl
                ld      a,(IMAGE+CPM_AT_SHIFT)
                ld      b,a
                inc     b
                jr      _next
_shift:         sra     h
                rr      l
_next:          djnz    _shift
                ret

; The digest of the reply so far.
; exit:  HL = CRC-16/X-25
; uses:  AF
; size:  10 bytes, 50 T
engine_digest:  ld      hl,(engine_crc)
                ld      a,l
                cpl
                ld      l,a
                ld      a,h
                cpl
                ld      h,a
                ret
