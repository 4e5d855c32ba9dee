; One run of the network.

; Runs the image's program over the query and the context.
; exit:  A = class; the outputs count in the digest
; uses:  all but IX, IY; interrupts are off meanwhile
; size:  82 bytes; 3,900 T in counts (223 rows), 19,000 T in sums, the context and the program apart
engine_pass:    di
                ld      (pass_stack+1),sp
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                jr      z,_sums
                ld      hl,IMAGE+CPM_AT_PREFIXES
                ld      a,(context_said)
                sub     1                       ; the first page serves the first two passes
                adc     a,0
                ld      b,0
                cp      (hl)
                ld      h,count_cache/256
                jr      nc,_copy
                ld      c,a
                ld      a,(IMAGE+CPM_AT_PREFIX_PAGE)
                add     a,c
                ld      h,a
                ld      a,(IMAGE+CPM_AT_CONTEXT_LENGTH)
                dec     a
                sub     c
                ld      b,a
_copy:          ld      l,0
                ld      de,count_work
                push    bc
                call    pass_copy
                pop     bc
                jr      _context
_sums:          ld      hl,sums_cache
                ld      de,sums_b
                ld      bc,512
                ldir
                ld      a,(IMAGE+CPM_AT_KIND)
                or      a
                jr      nz,_program             ; replies have no context
_context:       ld      a,(IMAGE+CPM_AT_CONTEXT_LENGTH)
                ld      c,a
                cp      b
                call    nz,context_count
_program:       ld      hl,(IMAGE+CPM_AT_PROGRAM)
                jp      (hl)

; Copies the counts of all rows and the end of the scan.
; enter: HL, DE = pages
; uses:  AF, BC, DE, HL
; size:  49 bytes; 16.6 T a row
pass_copy:      ld      a,(IMAGE+CPM_AT_ROWS)
                add     a,16                    ; the end of the scan, and up to a multiple of 16
                and     0F0h
                ld      c,a
                ld      b,0
                jr      nz,_copy
                inc     b
_copy:          rept    16
                ldi
                endm
                jp      pe,_copy
                ret
