; What the packer stamps into images: code that differs from model to model only in its operands.
;
; A template is what lies between t_NAME and t_NAME_end. A hole is an operand that the packer fills:
; t_NAME_b_HOLE is a byte, t_NAME_w_HOLE a word. Every template runs at any address.

                include "spec.inc"
                include "kernel.asm"
                include "engine.asm"

; Sets the sums of a layer to their starts, from the last place to the first.
; 10 T; 18 or 21 T a word of another value than the one before, 11 T otherwise
t_starts:       ld      sp,0
t_starts_w_end  equ     $-2
t_starts_end:

t_word:         ld      de,0
t_word_w_value  equ     $-2
t_word_end:

t_low:          ld      e,0
t_low_b_value   equ     $-1
t_low_end:

t_push:         push    de
t_push_end:

; The first layer in counts: a row is active from the count `zero` on. Its list begins with the rest of x, and its x is
; 8 * (count - zero) + rest. The scan ends with a row that is always active and whose list leads on.
; 22 T a row, 1.5 T more for the loop; 114 T for an active one, its list apart
t_scan:         ld      hl,count_work
                ld      b,0
t_scan_b_zero   equ     $-1
                jr      scan_rows
t_scan_again:   ld      b,0                     ; moves do not keep it
t_scan_b_zero2  equ     $-1
t_scan_resume:  pop     hl
scan_rows:
                rept    8
                ld      a,(hl)
                cp      b
                jr      nc,scan_active
                inc     l
                endm
                jr      scan_rows
scan_active:    sub     b
                cp      31
                jr      nc,scan_big
                add     a,a
                add     a,a
                add     a,a
                ld      h,0
t_scan_b_table  equ     $-1                     ; page of low bytes of the lists' addresses, then one of high bytes
                ld      e,(hl)
                inc     h
                ld      d,(hl)
                ex      de,hl
                add     a,(hl)
                inc     hl
                ld      sp,hl
                ld      c,a
                ld      h,0
t_scan_b_page   equ     $-1
                ret
scan_big:       ld      c,a
                ld      h,0
t_scan_b_table2 equ     $-1
                ld      e,(hl)
                inc     h
                ld      d,(hl)
                ex      de,hl
                ld      e,(hl)
                inc     hl
                ld      sp,hl
                ld      hl,0
t_scan_w_resume equ     $-2
                ld      d,0
t_scan_b_cut    equ     $-1
                ld      a,0
t_scan_b_page2  equ     $-1
                jp      count_big
t_scan_end:

; A row: its sum, less its step, and what it shares with others.
; 16 T; 31 T for a part that is added, 39 T for one that is subtracted
t_sum:          ld      hl,(0)
t_sum_w_place   equ     $-2
t_sum_end:

t_plus:         ld      de,(0)
t_plus_w_place  equ     $-2
                add     hl,de
t_plus_end:

t_minus:        ld      de,(0)
t_minus_w_place equ     $-2
                or      a
                sbc     hl,de
t_minus_end:

; A part, or an output, that has parts itself.
; 16 T
t_store:        ld      (0),hl
t_store_w_place equ     $-2
t_store_end:

; Runs the row's list, which is right behind, if the row is active. big() relies on these three last instructions.
; 18 T; 20 T more for an active row
t_test:         ld      a,h
                or      a
                jp      m,0
t_test_w_next   equ     $-2
                ld      sp,0
t_test_w_list   equ     $-2
                jp      0
t_test_w_active equ     $-2
t_test_end:

; The rows of a layer on a tape: a record of each (tape_list) in the order of their sums. It ends with a row that is
; always active and whose list leads on.
; 87 T a row; 145 T for an active one, its list and x apart
t_tape:         ld      hl,0
t_tape_w_resume equ     $-2
                ld      (big_next),hl
                ld      sp,0
t_tape_w_records equ    $-2
                ld      bc,0
t_tape_w_sums   equ     $-2                     ; the high byte of the first row's sum
tape_row:       ld      a,(bc)
                inc     c
                inc     c
                pop     de
                add     a,a
                jr      nc,tape_active
                ld      l,d
                ld      h,0
                add     hl,hl
                add     hl,sp
                ld      sp,hl
                jr      tape_row
tape_active:    ld      (tape_next),bc
                dec     c
                dec     c
                ld      a,(bc)
                ld      h,a
                dec     c
                ld      a,(bc)
                ld      l,a
                ld      a,h
                or      a
                jp      z,0
t_tape_w_active equ     $-2
                push    de                      ; as it was: SP -> record
                jp      0
t_tape_w_active2 equ    $-2
t_tape_up:      ld      bc,(tape_next)          ; behind place 0, which comes again when a page is through
                inc     b
                jr      tape_row
t_tape_resume:  ld      bc,(tape_next)
                jr      tape_row
t_tape_end:

; The first layer in counts on a tape.
; 86 T a row; 174 T for an active one, its list apart
t_counts:       ld      sp,0
t_counts_w_records equ  $-2
                ld      bc,count_work
counts_row:     ld      a,(bc)
                inc     c
                pop     de
                sub     0
t_counts_b_zero equ     $-1
                jr      nc,counts_active
                ld      l,d
                ld      h,0
                add     hl,hl
                add     hl,sp
                ld      sp,hl
                jr      counts_row
counts_active:  ld      (tape_next),bc
                ld      hl,0
t_counts_w_rest equ     $-2                     ; a byte before the rests of x
                ld      b,0
                add     hl,bc
                cp      31
                jr      nc,counts_big
                add     a,a
                add     a,a
                add     a,a
                add     a,(hl)
                ld      c,a
                ld      h,0
t_counts_b_page equ     $-1
                jp      tape_words
counts_big:     push    de                      ; as it was: SP -> record
                ld      e,(hl)
                ld      c,a
                ld      hl,0
t_counts_w_resume equ   $-2
                ld      d,0
t_counts_b_cut  equ     $-1
                ld      a,0
t_counts_b_page2 equ    $-1
                jp      count_big
t_counts_resume:
                ld      bc,(tape_next)
                jr      counts_row
t_counts_end:

; Adds virtual rows to what they are parts of; the list is right behind.
; 20 T, and the list
t_fold:         ld      sp,0
t_fold_w_list   equ     $-2
                ret
t_fold_end:

; Says how lists are entered where x was large, and where lists of moves lead.
; 52 T
t_exit:         ld      hl,0
t_exit_w_to     equ     $-2
                ld      (move_exit+1),hl
                ld      hl,0
t_exit_w_enter  equ     $-2
                ld      (list_enter+1),hl
t_exit_end:

; x of an active row, for each shift: HL is its sum less the step, so x = (HL >> shift) + 1. One per layer, and behind
; it how its lists are entered.
; 41 T with shift 2
t_active0:      ld      bc,0
t_active0_b_page2 equ   $-2
                ld      de,1
t_active0_b_cut equ     $-1
                jp      big
t_active0_entry: jr      nz,t_active0
                ld      a,l
                inc     a
                jr      z,t_active0
                ld      c,a
                ld      h,0
t_active0_b_page equ    $-1
t_active0_end:

; The same on a tape: the record's first word is back on its place before x of 256 is large.
t_tape0:        push    de
tape0_big:      ld      bc,0
t_tape0_b_page2 equ   $-2
                ld      de,1
t_tape0_b_cut equ     $-1
                jp      big
t_tape0_entry:  jr      nz,tape0_big
                ld      a,l
                inc     a
                jr      z,t_tape0
                ld      c,a
                ld      h,0
t_tape0_b_page equ    $-1
t_tape0_end:

t_active1:      ld      bc,1*256
t_active1_b_page2 equ   $-2
                ld      de,1 shl 1
t_active1_b_cut equ     $-1
                jp      big
t_active1_entry: jr      nz,t_active1
                ld      a,l
                srl     a
                inc     a
                ld      c,a
                ld      h,0
t_active1_b_page equ    $-1
t_active1_end:

t_active2:      ld      bc,2*256
t_active2_b_page2 equ   $-2
                ld      de,1 shl 2
t_active2_b_cut equ     $-1
                jp      big
t_active2_entry: jr      nz,t_active2
                ld      a,l
                rrca
                rrca
                and     3Fh
                inc     a
                ld      c,a
                ld      h,0
t_active2_b_page equ    $-1
t_active2_end:

t_active3:      ld      bc,3*256
t_active3_b_page2 equ   $-2
                ld      de,1 shl 3
t_active3_b_cut equ     $-1
                jp      big
t_active3_entry: jr      nz,t_active3
                ld      a,l
                rrca
                rrca
                rrca
                and     1Fh
                inc     a
                ld      c,a
                ld      h,0
t_active3_b_page equ    $-1
t_active3_end:

t_active4:      ld      bc,4*256
t_active4_b_page2 equ   $-2
                ld      de,1 shl 4
t_active4_b_cut equ     $-1
                jp      big
t_active4_entry: jr      nz,t_active4
                ld      a,l
                rrca
                rrca
                rrca
                rrca
                and     0Fh
                inc     a
                ld      c,a
                ld      h,0
t_active4_b_page equ    $-1
t_active4_end:

t_active5:      ld      bc,5*256
t_active5_b_page2 equ   $-2
                ld      de,1 shl 5
t_active5_b_cut equ     $-1
                jp      big
t_active5_entry: jr      nz,t_active5
                ld      a,l
                rlca
                rlca
                rlca
                and     7
                inc     a
                ld      c,a
                ld      h,0
t_active5_b_page equ    $-1
t_active5_end:

t_active6:      ld      bc,6*256
t_active6_b_page2 equ   $-2
                ld      de,1 shl 6
t_active6_b_cut equ     $-1
                jp      big
t_active6_entry: jr      nz,t_active6
                ld      a,l
                rlca
                rlca
                and     3
                inc     a
                ld      c,a
                ld      h,0
t_active6_b_page equ    $-1
t_active6_end:

t_active7:      ld      bc,7*256
t_active7_b_page2 equ   $-2
                ld      de,1 shl 7
t_active7_b_cut equ     $-1
                jp      big
t_active7_entry: jr      nz,t_active7
                ld      a,l
                rlca
                and     1
                inc     a
                ld      c,a
                ld      h,0
t_active7_b_page equ    $-1
t_active7_end:

; 10 T
t_enter:        ret
t_enter_end:

; 10 T, and tape_list
t_enter_tape:   jp      tape_words
t_enter_tape_end:

; Sums of the last layer are complete.
t_choose:       jp      kernel_choose
t_choose_end:
