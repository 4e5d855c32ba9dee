; Part of the kernel: columns as lists of moves, smaller and slower than lists of places.

; Adds C to sums, and subtracts it, from two lists of moves: a nibble is how many places the next one lies behind the
; last, the high nibble first. 0 moves on by 15 and adds nothing; where that leaves the page, it leads to place 0 of the
; next. A list starts at place 0, which nobody uses. In front of both stands how many words each has, a byte for each.
; enter: C = x, H = page, SP -> the two numbers, moves to add to, moves to subtract from
; exit:  to what move_exit was patched to, SP behind the moves; C kept
; uses:  AF, AF', DE, L
; size:  279 bytes; 65 T a place, 64 T a 0, 36 T more for a carry, 126 T for the rest
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

; Enters the list of a record on a tape. Its first word says how many words of moves there are, in the high byte, and
; how many of them to add to, in the low byte; or, with bit 7, that a list of entries and places takes so many words.
; enter: C = x, H = page, SP -> record; tape_words: DE = its first word, SP behind it
; exit:  to the list
; uses:  AF, DE
; size:  10 bytes, 40 T, 50 T for a list of places
tape_list:      pop     de
tape_words:     ld      a,d
                sub     e
                ld      d,a
                bit     7,e
                jp      z,move_words
list_return:    ret

; Counts up, and down, from two lists of moves. They start in front of place 0, and there is one page. Bit 7 of the
; first number says that a byte stands behind the two: a place to count down once more.
; enter: H = page, SP -> the two numbers, moves to count up, moves to count down
; exit:  to column_done
; uses:  AF, B, DE, L
; size:  170 bytes; 51 T a place, 64 T a 0, 117 T for the rest
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
