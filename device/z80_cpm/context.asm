; Counts the n-grams of the context, the last characters of the reply.

CONTEXT_MOST    equ     32                      ; characters
START_STEP      equ     7*31                    ; what one place to the right adds to the hash of one character

; One more character of the reply.
; enter: A = character
; uses:  AF, BC, DE, HL
; size:  29 bytes; 160 T and 21 T a character of the context
engine_context_add:
                call    text_lower
                push    af
                ld      hl,context_said
                inc     (hl)
                jr      nz,_shift
                dec     (hl)
_shift:         ld      a,(IMAGE+CPM_AT_CONTEXT_LENGTH)
                dec     a
                ld      c,a
                ld      b,0
                ld      hl,context+1
                ld      de,context
                ldir
                pop     af
                ld      (de),a
                ret

; Counts all n-grams that end behind character `from` and not behind `to`.
; enter: B = from, C = to, both counted from 1; interrupts off
; uses:  AF, BC, DE, HL
; size:  126 bytes; 620 T a character, two before `from` included, and 240 T and its column for each n-gram
context_count:  ld      (context_to),bc         ; and context_from
                ld      a,b
                sub     2                       ; hashes grow from those that end one character before
                jr      nc,_place
                xor     a
_place:         ld      (context_at),a
                ld      hl,0
                ld      de,START_STEP
                or      a
                jr      z,_started
                ld      b,a
_step:          add     hl,de
                djnz    _step
_started:       ld      (context_start),hl
_character:     ld      hl,(context_at)
                ld      h,0
                ld      de,context
                add     hl,de
                ld      c,(hl)
                ld      hl,(context_two)
                call    text_hash
                ld      (context_three),hl
                ld      hl,(context_one)
                call    text_hash
                ld      (context_two),hl
                ld      hl,(context_start)
                ld      b,0
                push    hl
                add     hl,bc
                ld      (context_one),hl
                pop     hl
                ld      de,START_STEP
                add     hl,de
                ld      (context_start),hl
                ld      hl,context_from
                ld      a,(context_at)
                cp      (hl)
                jr      c,_next
                ld      hl,(context_one)
                call    context_column
                ld      a,(context_at)
                or      a
                jr      z,_next
                ld      hl,(context_two)
                call    context_column
                ld      a,(context_at)
                cp      2
                jr      c,_next
                ld      hl,(context_three)
                call    context_column
_next:          ld      hl,context_at
                inc     (hl)
                ld      a,(context_to)
                cp      (hl)
                jr      nz,_character
                ret

; The column of an n-gram.
; enter: HL = hash
; uses:  AF, BC, DE, HL
; size:  17 bytes, 52 T and column()
context_column: ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                ld      a,count_work/256
                jp      nz,column
                ld      c,INPUT_SCALE
                ld      a,sums_b/256
                jp      column

; A reply begins in a context of blanks: keeps the counts of the query with those n-grams that are still blank after 1,
; 2, … characters, a page each.
; uses:  AF, BC, DE, HL
; size:  61 bytes; a pass of context columns, and 5,400 T a page
context_prefixes:
                ld      a,(IMAGE+CPM_AT_PREFIXES)
                or      a
                ret     z
                di
                ld      hl,count_cache
                ld      de,count_work
                call    pass_copy
                ld      b,0
                ld      a,(IMAGE+CPM_AT_PREFIXES)
_page:          dec     a
                ld      (context_prefix),a
                ld      c,a
                ld      a,(IMAGE+CPM_AT_CONTEXT_LENGTH)
                dec     a
                sub     c
                ld      c,a
                push    bc
                call    context_count
                ld      hl,IMAGE+CPM_AT_PREFIX_PAGE
                ld      a,(context_prefix)
                add     a,(hl)
                ld      d,a
                ld      e,0
                ld      hl,count_work
                call    pass_copy
                pop     bc
                ld      b,c
                ld      a,(context_prefix)
                or      a
                jr      nz,_page
                ei
                ret
