; Blocks that add a column to sums, and the ways out of the common case. Images jump into them, so they never move
; within one CPM_ABI.
;
; A column is a list of words that SP walks: the address of an entry, as many places as that entry takes (two in a
; word), the next entry, … and the address of what comes after. Every block ends in `ret`. While SP walks a list,
; interrupts are off.
;
; A place is an index into the page H. Counts are bytes, one a place. Sums are words, so their places are even, and a
; layer has two pages; places of the second come behind those of the first.

                org     CPM_KERNEL_ADDRESS

ADD_PAIRS       equ     8                       ; words of places that a block takes
COUNT_PAIRS     equ     16
ADD_UNIT        equ     6                       ; bytes for one place
ADD_PAIR        equ     1+2*ADD_UNIT            ; bytes for one word
ADD_FIX         equ     6                       ; bytes of one carry
COUNT_PAIR      equ     5
ODD_BYTES       equ     4                       ; of one entry for an odd number of places
UP_BYTES        equ     4                       ; of one entry into the second page, for an even number
UP_ODD_BYTES    equ     5                       ; and for an odd one

; Adds C to sums. The entry for 2k places is add_end-k*ADD_PAIR, that for 2k+1 is add_odd+k*ODD_BYTES; the first of
; an odd number is the high byte of its word. The entry at which a list goes on to the second page is
; add_up+(k-1)*UP_BYTES for 2k places, add_up_odd+k*UP_ODD_BYTES for 2k+1.
; enter: C = x, H = page, SP -> places, next entry
; exit:  B, C kept; H kept, or the second page
; uses:  AF, DE, L
; size:  305 bytes; 34 T a place, 15 more for an odd one, 34 more for a carry, 10 T for `ret`,
;        14 T (odd: 4 T) into the second page
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
add_up:
                rept    ADD_PAIRS, N, 1, 1
                inc     h
                jp      add_end-N*ADD_PAIR
                endm
add_up_odd:
                rept    ADD_PAIRS, N, 1, 1
                inc     h
                pop     de
                jp      add_end-N*ADD_PAIR+1+ADD_UNIT
                endm

; Subtracts C from sums: the same with sub_end, sub_odd, sub_up and sub_up_odd.
; size:  305 bytes; as above
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
sub_up:
                rept    ADD_PAIRS, N, 1, 1
                inc     h
                jp      sub_end-N*ADD_PAIR
                endm
sub_up_odd:
                rept    ADD_PAIRS, N, 1, 1
                inc     h
                pop     de
                jp      sub_end-N*ADD_PAIR+1+ADD_UNIT
                endm

; Places of a list from here on are in the first page again.
; enter: H = second page
; exit:  H = first page
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

                include "moves.asm"

; Adds virtual rows to the two rows each is a part of. A list is a word with their number in the high byte, then the
; addresses of three sums for each: the virtual row, the rows.
; enter: SP -> list, next entry
; exit:  to the next entry
; uses:  AF, B, DE, HL
; size:  24 bytes; 141 T a virtual row, 15 T for the rest
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

                include "large.asm"

; Runs the column of a bucket of the first layer, whose list ends in column_done. column_setup() says which table.
; enter: HL = hash, A = page, C = x (sums only)
; uses:  AF, DE, HL
; size:  41 bytes; 162 T and the list
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
; size:  26 bytes, 107 – 112 T
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
