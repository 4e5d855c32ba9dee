; Blocks that add a column to sums, and the ways out of the common case. Images jump into them, so they never move
; within one CPM_ABI.
;
; A column is a list of words that SP walks: the address of an entry, as many places as that entry takes (two in a
; word), the next entry, … and the address of what comes after. Every block ends in `ret`. While SP walks a list,
; interrupts are off.
;
; A place is an index into the page H. Counts are bytes, one a place. Sums are words, so their places are even, and a
; layer has two pages; places of the second come behind kernel_up.

                org     CPM_KERNEL_ADDRESS

ADD_PAIRS       equ     10                      ; words of places that a block takes
COUNT_PAIRS     equ     16
ADD_UNIT        equ     6                       ; bytes for one place
ADD_PAIR        equ     1+2*ADD_UNIT            ; bytes for one word
ADD_FIX         equ     6                       ; bytes of one carry
COUNT_PAIR      equ     5
ODD_BYTES       equ     4                       ; of one entry for an odd number of places

; Adds C to sums. The entry for 2k places is add_end-k*ADD_PAIR, that for 2k+1 is add_odd+k*ODD_BYTES; the first of
; an odd number is the high byte of its word.
; enter: C = x, H = page, SP -> places, next entry
; exit:  B, C, H kept
; uses:  AF, DE, L
; size:  465 bytes; 34 T a place, 15 more for an odd one, 34 more for a carry, 10 T for `ret`
add_low:
                rept    ADD_PAIRS, N, 0, 1
                inc     l
                inc     (hl)
                dec     l
                jp      add_block+(N/2)*ADD_PAIR+1+(N mod 2)*ADD_UNIT+ADD_UNIT
                endm
add_block:
                rept    ADD_PAIRS/2, N, 0, 1
                pop     de
                ld      l,e
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,add_low+(2*N)*ADD_FIX
                ld      l,d
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,add_low+(2*N+1)*ADD_FIX
                endm
                rept    ADD_PAIRS/2, N, 0, 1
                pop     de
                ld      l,e
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,add_high+(2*N)*ADD_FIX
                ld      l,d
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,add_high+(2*N+1)*ADD_FIX
                endm
add_end:        ret
add_high:
                rept    ADD_PAIRS, N, ADD_PAIRS, 1
                inc     l
                inc     (hl)
                dec     l
                jp      add_block+(N/2)*ADD_PAIR+1+(N mod 2)*ADD_UNIT+ADD_UNIT
                endm
add_odd:
                rept    ADD_PAIRS, N, 1, 1
                pop     de
                jp      add_end-N*ADD_PAIR+1+ADD_UNIT
                endm

; Subtracts C from sums: the same with sub_end and sub_odd.
; size:  465 bytes; as above
sub_low:
                rept    ADD_PAIRS, N, 0, 1
                inc     l
                dec     (hl)
                dec     l
                jp      sub_block+(N/2)*ADD_PAIR+1+(N mod 2)*ADD_UNIT+ADD_UNIT
                endm
sub_block:
                rept    ADD_PAIRS/2, N, 0, 1
                pop     de
                ld      l,e
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,sub_low+(2*N)*ADD_FIX
                ld      l,d
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,sub_low+(2*N+1)*ADD_FIX
                endm
                rept    ADD_PAIRS/2, N, 0, 1
                pop     de
                ld      l,e
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,sub_high+(2*N)*ADD_FIX
                ld      l,d
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,sub_high+(2*N+1)*ADD_FIX
                endm
sub_end:        ret
sub_high:
                rept    ADD_PAIRS, N, ADD_PAIRS, 1
                inc     l
                dec     (hl)
                dec     l
                jp      sub_block+(N/2)*ADD_PAIR+1+(N mod 2)*ADD_UNIT+ADD_UNIT
                endm
sub_odd:
                rept    ADD_PAIRS, N, 1, 1
                pop     de
                jp      sub_end-N*ADD_PAIR+1+ADD_UNIT
                endm

; Places of a list from here on are in the second page of a layer.
; enter: H = first page
; exit:  H = second page
; size:  2 bytes, 14 T
kernel_up:      inc     h
                ret

; And back to the first page.
; size:  2 bytes, 14 T
kernel_down:    dec     h
                ret

; Counts up. The entry for 2k places is inc_end-k*COUNT_PAIR, that for 2k+1 is inc_odd+k*ODD_BYTES.
; enter: H = page, SP -> places, next entry
; exit:  BC, H kept
; uses:  F, DE, L
; size:  145 bytes; 20 T a place, 15 more for an odd one, 10 T for `ret`
inc_block:
                rept    COUNT_PAIRS
                pop     de
                ld      l,e
                inc     (hl)
                ld      l,d
                inc     (hl)
                endm
inc_end:        ret
inc_odd:
                rept    COUNT_PAIRS, N, 1, 1
                pop     de
                jp      inc_end-N*COUNT_PAIR+3
                endm

; Counts down: the same with dec_end and dec_odd.
; size:  145 bytes; as above
dec_block:
                rept    COUNT_PAIRS
                pop     de
                ld      l,e
                dec     (hl)
                ld      l,d
                dec     (hl)
                endm
dec_end:        ret
dec_odd:
                rept    COUNT_PAIRS, N, 1, 1
                pop     de
                jp      dec_end-N*COUNT_PAIR+3
                endm

; Adds C to sums, and subtracts it, from two lists of moves: a nibble is how many places the next one lies behind the
; last, the high nibble first. 0 moves on by 15 and adds nothing; where that leaves the page, it leads to place 0 of the
; next. A list starts at place 0, which nobody uses. In front of both stands how many words each has, a byte for each.
; enter: C = x, H = page, SP -> the two numbers, moves to add to, moves to subtract from
; exit:  to what move_exit was patched to, SP behind the moves; C kept
; uses:  AF, AF', DE, L
; size:  282 bytes; 65 T a place, 37 T a 0, 36 T more for a carry, 150 T for the rest
move_sums:      pop     de
move_words:     ld      a,h
                ex      af,af'
                ld      a,d
                ld      (_minus+1),a
                ld      l,0
                ld      b,e
                inc     b
                dec     b
                jr      z,_minus
_pword:         pop     de
                ld      a,e
                rrca
                rrca
                rrca
                and     1Eh
                jr      z,_pskip1
                add     a,l
                ld      l,a
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,_pcarry1
_pnext1:        ld      a,e
                add     a,a
                and     1Eh
                jr      z,_pskip2
                add     a,l
                ld      l,a
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,_pcarry2
_pnext2:        ld      a,d
                rrca
                rrca
                rrca
                and     1Eh
                jr      z,_pskip3
                add     a,l
                ld      l,a
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,_pcarry3
_pnext3:        ld      a,d
                add     a,a
                and     1Eh
                jr      z,_pskip4
                add     a,l
                ld      l,a
                ld      a,(hl)
                add     a,c
                ld      (hl),a
                jr      c,_pcarry4
_pnext4:        djnz    _pword
                jr      _minus
_pcarry1:       inc     l
                inc     (hl)
                dec     l
                jr      _pnext1
_pskip1:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_pnext1
                inc     h
                ld      l,0
                jr      _pnext1
_pcarry2:       inc     l
                inc     (hl)
                dec     l
                jr      _pnext2
_pskip2:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_pnext2
                inc     h
                ld      l,0
                jr      _pnext2
_pcarry3:       inc     l
                inc     (hl)
                dec     l
                jr      _pnext3
_pskip3:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_pnext3
                inc     h
                ld      l,0
                jr      _pnext3
_pcarry4:       inc     l
                inc     (hl)
                dec     l
                jr      _pnext4
_pskip4:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_pnext4
                inc     h
                ld      l,0
                jr      _pnext4
_minus:         ld      a,0
                or      a
                jr      z,_done
                ld      b,a
                ex      af,af'
                ld      h,a
                ex      af,af'
                ld      l,0
_mword:         pop     de
                ld      a,e
                rrca
                rrca
                rrca
                and     1Eh
                jr      z,_mskip1
                add     a,l
                ld      l,a
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,_mcarry1
_mnext1:        ld      a,e
                add     a,a
                and     1Eh
                jr      z,_mskip2
                add     a,l
                ld      l,a
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,_mcarry2
_mnext2:        ld      a,d
                rrca
                rrca
                rrca
                and     1Eh
                jr      z,_mskip3
                add     a,l
                ld      l,a
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,_mcarry3
_mnext3:        ld      a,d
                add     a,a
                and     1Eh
                jr      z,_mskip4
                add     a,l
                ld      l,a
                ld      a,(hl)
                sub     c
                ld      (hl),a
                jr      c,_mcarry4
_mnext4:        djnz    _mword
_done:          jr      move_exit
_mcarry1:       inc     l
                dec     (hl)
                dec     l
                jr      _mnext1
_mskip1:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_mnext1
                inc     h
                ld      l,0
                jr      _mnext1
_mcarry2:       inc     l
                dec     (hl)
                dec     l
                jr      _mnext2
_mskip2:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_mnext2
                inc     h
                ld      l,0
                jr      _mnext2
_mcarry3:       inc     l
                dec     (hl)
                dec     l
                jr      _mnext3
_mskip3:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_mnext3
                inc     h
                ld      l,0
                jr      _mnext3
_mcarry4:       inc     l
                dec     (hl)
                dec     l
                jr      _mnext4
_mskip4:        ld      a,30
                add     a,l
                ld      l,a
                jr      nc,_mnext4
                inc     h
                ld      l,0
                jr      _mnext4
move_exit:      jp      move_return
move_return:    ret

; Enters the list of a record on a tape. Its first word says how many words of moves there are, in the high byte, and how
; many of them to add to, in the low byte; or, with bit 7, that a list of entries and places takes so many words.
; enter: C = x, H = page, SP -> record; tape_words: DE = its first word, SP behind it
; exit:  to the list
; uses:  AF, DE
; size:  10 bytes, 33 – 40 T
tape_list:      pop     de
tape_words:     ld      a,d
                sub     e
                ld      d,a
                bit     7,e
                jp      z,move_words
list_return:    ret

; Counts up, and down, from two lists of moves. They start in front of place 0, and there is one page. Bit 7 of the first
; number says that a byte stands behind the two: a place to count down once more.
; enter: H = page, SP -> the two numbers, moves to count up, moves to count down
; exit:  to column_done
; uses:  AF, B, DE, L
; size:  151 bytes; 44 T a place, 37 T a 0, 110 T for the rest
move_counts:    pop     de
count_words:    ld      a,d
                ld      (_minus+1),a
                bit     7,e
                jr      z,_once
                res     7,e
                dec     sp
                pop     af
                ld      l,a
                dec     (hl)
_once:          ld      l,-1
                ld      b,e
                inc     b
                dec     b
                jr      z,_minus
_pword:         pop     de
                ld      a,e
                rrca
                rrca
                rrca
                rrca
                and     0Fh
                jr      z,_pskip1
                add     a,l
                ld      l,a
                inc     (hl)
_pnext1:        ld      a,e
                and     0Fh
                jr      z,_pskip2
                add     a,l
                ld      l,a
                inc     (hl)
_pnext2:        ld      a,d
                rrca
                rrca
                rrca
                rrca
                and     0Fh
                jr      z,_pskip3
                add     a,l
                ld      l,a
                inc     (hl)
_pnext3:        ld      a,d
                and     0Fh
                jr      z,_pskip4
                add     a,l
                ld      l,a
                inc     (hl)
_pnext4:        djnz    _pword
                jr      _minus
_pskip1:        ld      a,15
                add     a,l
                ld      l,a
                jr      _pnext1
_pskip2:        ld      a,15
                add     a,l
                ld      l,a
                jr      _pnext2
_pskip3:        ld      a,15
                add     a,l
                ld      l,a
                jr      _pnext3
_pskip4:        ld      a,15
                add     a,l
                ld      l,a
                jr      _pnext4
_minus:         ld      a,0
                or      a
                jp      z,column_done
                ld      b,a
                ld      l,-1
_mword:         pop     de
                ld      a,e
                rrca
                rrca
                rrca
                rrca
                and     0Fh
                jr      z,_mskip1
                add     a,l
                ld      l,a
                dec     (hl)
_mnext1:        ld      a,e
                and     0Fh
                jr      z,_mskip2
                add     a,l
                ld      l,a
                dec     (hl)
_mnext2:        ld      a,d
                rrca
                rrca
                rrca
                rrca
                and     0Fh
                jr      z,_mskip3
                add     a,l
                ld      l,a
                dec     (hl)
_mnext3:        ld      a,d
                and     0Fh
                jr      z,_mskip4
                add     a,l
                ld      l,a
                dec     (hl)
_mnext4:        djnz    _mword
                jp      column_done
_mskip1:        ld      a,15
                add     a,l
                ld      l,a
                jr      _mnext1
_mskip2:        ld      a,15
                add     a,l
                ld      l,a
                jr      _mnext2
_mskip3:        ld      a,15
                add     a,l
                ld      l,a
                jr      _mnext3
_mskip4:        ld      a,15
                add     a,l
                ld      l,a
                jr      _mnext4

; Adds virtual rows to the two rows each is a part of. A list is a word with their number in the high byte, then the
; addresses of three sums for each: the virtual row, the rows.
; enter: SP -> list, next entry
; exit:  to the next entry
; uses:  AF, B, DE, HL
; size:  29 bytes; 143 T a virtual row, 30 T for the rest
fold_same:      pop     bc
_next:          pop     hl
                ld      e,(hl)
                inc     l
                ld      d,(hl)
                pop     hl
                ld      a,(hl)
                add     a,e
                ld      (hl),a
                inc     l
                ld      a,(hl)
                adc     a,d
                ld      (hl),a
                pop     hl
                ld      a,(hl)
                add     a,e
                ld      (hl),a
                inc     l
                ld      a,(hl)
                adc     a,d
                ld      (hl),a
                djnz    _next
                ret

; The same, but subtracts them from the second row.
fold_opposite:  pop     bc
_next:          pop     hl
                ld      e,(hl)
                inc     l
                ld      d,(hl)
                pop     hl
                ld      a,(hl)
                add     a,e
                ld      (hl),a
                inc     l
                ld      a,(hl)
                adc     a,d
                ld      (hl),a
                pop     hl
                ld      a,(hl)
                sub     e
                ld      (hl),a
                inc     l
                ld      a,(hl)
                sbc     a,d
                ld      (hl),a
                djnz    _next
                ret

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
; enter: C = S, E = rest of x, D = 1 cuts x at 255 (else 0), A = page of the sums, HL = what follows the list, SP -> list
; exit:  to the list
; uses:  all but B
; size:  22 bytes; 131 T where x fits a byte
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
; size:  79 bytes; 389 T, 133 T each time and 228 T the last time, the list apart
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

; Runs the column of a bucket of the first layer, whose list ends in column_done. column_setup() says which table.
; enter: HL = hash, A = page, C = x (sums only)
; uses:  AF, DE, HL
; size:  37 bytes; 190 T and the list
column:         ld      (column_page+1),a
                ld      a,l
column_low:     and     0                       ; the mask of buckets
                ld      l,a
                ld      a,h
column_high:    and     0
                ld      h,a
                add     hl,hl
column_table:   ld      de,0
                add     hl,de
                ld      e,(hl)
                inc     hl
                ld      d,(hl)
                ex      de,hl
                ld      (column_done+1),sp
                ld      sp,hl
column_page:    ld      h,0
column_enter:   ret                             ; or `jp` to
                defw    column_record
column_done:    ld      sp,0
                ret
column_record:  pop     de
                bit     7,d
                jp      z,count_words
                ret

; The program of an image ends here.
kernel_choose:  jp      choose
kernel_end:

KERNEL_BYTES    equ     kernel_end-CPM_KERNEL_ADDRESS

; Says which table of columns the next hashes name.
; enter: HL = table, DE = mask of its buckets
; uses:  A
; size:  12 bytes, 66 T
column_setup:   ld      (column_table+1),hl
                ld      a,e
                ld      (column_low+1),a
                ld      a,d
                ld      (column_high+1),a
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_TAPE
                ld      a,0C9h                  ; ret
                jr      z,_enter
                ld      a,0C3h                  ; jp
_enter:         ld      (column_enter),a
                ret
