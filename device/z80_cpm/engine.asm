; The engine: sparse integer networks in images of the CP/M port (docs/semantics.md, docs/image-cpm.md). kernel.asm
; comes first in the program; the rest lies wherever it is put.

IMAGE           equ     CPM_IMAGE_ADDRESS

; The engine's pages. Two layers that follow one another take turns.
sums_a          equ     CPM_RAM_ADDRESS         ; words of 256 places: layers 2, 4, …
sums_b          equ     CPM_RAM_ADDRESS+200h    ; layers 1 (in sums), 3, 5, …
query_words     equ     sums_b                  ; counts: the tally, folded
count_cache     equ     CPM_RAM_ADDRESS+400h    ; counts: the query's share of each row
count_work      equ     CPM_RAM_ADDRESS+500h    ; counts: the tally of the query; rows of the pass
sums_cache      equ     count_cache             ; sums: the query's share, two pages
variables       equ     CPM_RAM_ADDRESS+800h    ; crc_table is below

context         equ     variables               ; CONTEXT_MOST characters
context_to      equ     variables+32            ; a word with context_from
context_from    equ     variables+33
context_at      equ     variables+34            ; read as a word
context_prefix  equ     variables+35
context_one     equ     variables+36            ; hashes of 1, 2 and 3 characters
context_two     equ     variables+38
context_three   equ     variables+40
context_start   equ     variables+42
query_state     equ     variables+44            ; begins at 0 with a query
context_said    equ     variables+44            ; characters of the reply, at most 255
query_started   equ     variables+45
query_first     equ     variables+46            ; the two characters before: a word
query_second    equ     variables+47
query_windows   equ     variables+48
query_zone      equ     variables+49
query_start     equ     variables+50            ; what the zone adds to a hash
query_word      equ     variables+52            ; hash of the word so far
query_in_word   equ     variables+54
query_tallied   equ     variables+55            ; columns in the tally
query_state_end equ     variables+56
engine_crc      equ     variables+56            ; digest, not inverted
big_left        equ     variables+58
big_list        equ     variables+60
big_next        equ     variables+62
big_page        equ     variables+64
big_kept        equ     variables+65
big_saved       equ     variables+66            ; 3 bytes
tape_next       equ     variables+69            ; the row behind the active one
variables_end   equ     variables+71

                include "crc.asm"
                include "text.asm"
                include "query.asm"
                include "context.asm"
                include "pass.asm"
                include "choose.asm"

; Checks the image in memory. Needs crc_init().
; exit:  A = STATUS_OK, STATUS_NO_MODEL, STATUS_BAD_MODEL or STATUS_BAD_ABI
; uses:  AF, BC, DE, HL
; size:  65 bytes; 160 T, and 128 T a byte of the image
engine_open:    ld      hl,(IMAGE+CPM_AT_MAGIC)
                ld      de,IMAGE_MAGIC
                or      a
                sbc     hl,de
                ld      a,STATUS_NO_MODEL
                ret     nz
                ld      a,(IMAGE+CPM_AT_ABI)
                cp      CPM_ABI
                ld      a,STATUS_BAD_ABI
                ret     nz
                ld      hl,(IMAGE+CPM_AT_LENGTH)
                ld      bc,CPM_HEADER_BYTES
                sbc     hl,bc
                jr      c,_bad
                ld      bc,CPM_HEADER_BYTES-CPM_CHECK_FROM
                add     hl,bc
                ld      b,h
                ld      c,l
                ld      hl,IMAGE+CPM_CHECK_FROM
                ld      de,0FFFFh
_byte:          ld      a,(hl)
                push    hl
                call    crc_update
                pop     hl
                inc     hl
                dec     bc
                ld      a,b
                or      c
                jr      nz,_byte
                ld      hl,(IMAGE+CPM_AT_CHECK)
                add     hl,de                   ; the check is inverted: FFFFh when they agree
                inc     hl
                ld      a,h
                or      l
                ret     z                       ; STATUS_OK
_bad:           ld      a,STATUS_BAD_MODEL
                ret
