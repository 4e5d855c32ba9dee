; Part of the kernel: activations that need more than a byte of the sum.

; A row is active and its sum, less its step, has a high byte: forms x by shifting, and runs the row's list.
; enter: HL = sum less the step (100h … 7FFFh), E = step = 1 << B, B = shift, C = page of the sums that the list names,
;        D = BIG_CUT to cut x at 255, + BIG_TAPE if (big_next) is what follows the list; else SP -> list right behind
;        `jp m,next / ld sp,list / jp active`
; exit:  to the list
; uses:  all
; size:  45 bytes; 130 T and 29 T a shift where x fits a byte
BIG_CUT         equ     1
BIG_TAPE        equ     2

big:            ld      a,d
                ld      d,0
                add     hl,de
                bit     7,h
                jr      nz,_wrapped
                inc     b
                jr      _shifted
_shift:         srl     h
                rr      l
_shifted:       djnz    _shift
                inc     h
                dec     h
                jr      z,big_fits
                rra
                jr      c,big_cut
                ex      de,hl
                rra
                ld      hl,(big_next)
                jr      c,big_many
                ld      hl,-8
                add     hl,sp
                ld      a,(hl)
                inc     hl
                ld      h,(hl)
                ld      l,a
                jr      big_many
_wrapped:       ld      l,0                     ; below the step, seen from the other end: not active, so x = 0
                jr      big_fits

; A row of counts is active by so many that 8 * S may pass 255.
; enter: C = S, E = rest of x, D = 1 cuts x at 255 (else 0), A = page of the sums, HL = what follows the list,
;        SP -> list
; exit:  to the list
; uses:  all but B
; size:  35 bytes; 131 T where x fits a byte
count_big:      ld      (big_next),hl
                ld      l,c
                ld      h,0
                add     hl,hl
                add     hl,hl
                add     hl,hl
                ld      c,a
                ld      a,d
                ld      d,0
                add     hl,de
                inc     h
                dec     h
                jr      z,big_fits
                or      a
                jr      nz,big_cut
                ex      de,hl
                ld      hl,(big_next)
                jr      big_many
big_cut:        ld      l,255
big_fits:       ld      a,l
                ld      h,c
                ld      c,a
list_enter:     jp      list_return

; x is more than a byte: runs the list with 255 as often as that goes, then with the rest. What follows the list is
; patched to come back here until the last run.
; enter: DE = x, C = page of the sums, HL = what follows the list, SP -> list
; exit:  to the list
; uses:  all but B
; size:  87 bytes; 389 T, 133 T each time and 228 T the last time, the list apart
big_many:       ld      (big_next),hl
                ld      (big_left),de
                ld      (big_list),sp
                ld      a,c
                ld      (big_page),a
                ld      a,b
                ld      (big_kept),a
                ld      de,big_saved
                ld      bc,3
                ldir
                ld      hl,big_jump
                ld      de,(big_next)
                ld      c,3
                ldir
big_again:      ld      sp,(big_list)
                ld      hl,(big_left)
                ld      de,-255
                add     hl,de
                ld      a,255
                jr      nc,_last
                ld      (big_left),hl
                jr      _run
_last:          ld      hl,big_saved
                ld      de,(big_next)
                ld      bc,3
                ldir
                ld      a,(big_left)
_run:           ld      c,a
                ld      a,(big_kept)
                ld      b,a
                ld      a,(big_page)
                ld      h,a
                jr      list_enter
big_jump:       jp      big_again
