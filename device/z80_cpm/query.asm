; Counts a query as it comes: no buffer holds it. Each window of three characters, and each word where the model wants
; that, is a hash; each hash names a column.
;
; Counts: columns are tallied in bytes, folded into words before a byte can overflow, and end as one byte a row in
; count_cache. Sums: columns add 32 to words in the same two pages.

TALLY_COLUMNS   equ     60                      ; columns of weights from -2 to 1 that a byte can count

; Forgets the query, the reply, and its digest.
; uses:  AF, BC, DE, HL
; size:  73 bytes; 16,138 T for 223 rows in counts
engine_query_begin:
                ld      hl,-1
                ld      (engine_crc),hl
                ld      hl,query_state
                ld      b,query_state_end-query_state
_clear:         ld      (hl),0
                inc     hl
                djnz    _clear
                ld      a,' '
                ld      (query_second),a
                ld      hl,context
                ld      de,context+1
                ld      bc,CONTEXT_MOST-1
                ld      (hl),a
                ldir
                ld      hl,(IMAGE+CPM_AT_QUERY_TABLE)
                ld      de,(IMAGE+CPM_AT_QUERY_MASK)
                call    column_setup
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                ld      de,sums_cache
                jr      z,_start
                call    query_clear
                ld      de,query_words
_start:         ld      bc,(IMAGE+CPM_AT_ROWS)
                sla     c
                rl      b
                ld      hl,(IMAGE+CPM_AT_START)
                ldir
                ret

; One more byte of the query.
; enter: A = byte
; uses:  AF, BC, DE, HL
; size:  91 bytes; 860 T and the column of its window, 200 T more in a word that counts
engine_query_add:
                call    text_lower
                ld      c,a
                ld      hl,query_started
                ld      a,(hl)
                ld      (hl),1
                or      a
                jr      z,_word
                push    bc
                ld      hl,(query_first)        ; L = first, H = second
                ld      b,c
                ld      c,h
                ld      h,0
                call    text_hash
                ld      c,b
                call    text_hash
                ld      de,(query_start)
                add     hl,de
                call    query_column
                call    query_next_window
                pop     bc
_word:          ld      hl,(query_first)
                ld      l,h
                ld      h,c
                ld      (query_first),hl
                ld      a,(IMAGE+CPM_AT_FEATURES)
                and     QUERY_WORDS
                ret     z
                ld      a,c
                cp      ' '
                ld      a,(query_in_word)
                jr      z,_blank
                ld      hl,(query_word)
                or      a
                jr      nz,_letter
                inc     a
                ld      (query_in_word),a
                ld      hl,WORD_START
_letter:        call    text_hash
                ld      (query_word),hl
                ret
_blank:         or      a
                ret     z
                xor     a
                ld      (query_in_word),a
                ld      hl,(query_word)

; The column of a hash of the query.
; enter: HL = hash
; uses:  AF, BC, DE, HL
; size:  34 bytes; 330 T and the column
query_column:   di
                ld      c,INPUT_SCALE
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                ld      a,sums_cache/256
                jr      z,_run
                ld      a,count_work/256
_run:           call    column
                ei
                ld      a,(query_tallied)
                inc     a
                ld      (query_tallied),a
                cp      TALLY_COLUMNS
                ret     nz
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                ret     z

; Folds the tally into words, and clears it.
; uses:  AF, BC, DE, HL
; size:  44 bytes; 117 T a row, the clearing of the tally included
query_fold:     xor     a
                ld      (query_tallied),a
                ld      a,(IMAGE+CPM_AT_ROWS)
                ld      b,a
                ld      hl,query_words
                ld      de,count_work
_row:           ld      a,(de)
                ld      c,a
                inc     e
                add     a,(hl)
                ld      (hl),a
                inc     hl
                jr      nc,_same
                inc     (hl)
_same:          bit     7,c
                jr      z,_positive
                dec     (hl)
_positive:      inc     hl
                djnz    _row
query_clear:    ld      hl,count_work
                ld      de,count_work+1
                ld      bc,255
                ld      (hl),b
                ldir
                ret

; The query is complete.
; uses:  AF, BC, DE, HL
; size:  59 bytes; in counts 140 T a row, in character models a pass of context columns for the prefixes
engine_query_end:
                ld      a,' '
                call    engine_query_add
                ld      a,(IMAGE+CPM_AT_FLAGS)
                and     CPM_FLAG_COUNTS
                jr      z,_context
                call    query_fold
                ld      hl,query_words
                ld      de,count_cache
                ld      a,(IMAGE+CPM_AT_ROWS)
                ld      b,a
_row:           ld      c,(hl)
                inc     hl
                bit     7,(hl)
                inc     hl
                jr      z,_above
                ld      c,0                     ; cut: the context cannot lift it to where it would show
_above:         ld      a,(IMAGE+CPM_AT_FLOOR)
                add     a,c
                ld      (de),a
                inc     e
                djnz    _row
                ld      a,(IMAGE+CPM_AT_ZERO)
                ld      (de),a                  ; ends the scan
_context:       ld      hl,(IMAGE+CPM_AT_CONTEXT_TABLE)
                ld      de,(IMAGE+CPM_AT_CONTEXT_MASK)
                call    column_setup
                jp      context_prefixes

; Counts the window: zones change every ZONE_WINDOWS, until the last.
; uses:  AF, DE, HL
; size:  30 bytes, 46 – 160 T
query_next_window:
                ld      hl,query_windows
                inc     (hl)
                ld      a,(hl)
                and     ZONE_WINDOWS-1
                ret     nz
                ld      a,(IMAGE+CPM_AT_FEATURES)
                and     QUERY_ZONES
                ld      hl,query_zone
                cp      (hl)
                ret     z
                inc     (hl)
                ld      hl,(query_start)
                ld      de,ZONE_STEP
                add     hl,de
                ld      (query_start),hl
                ret
