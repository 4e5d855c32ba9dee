; CRC-16/X-25 by table: start from FFFFh, invert at the end; 906Eh over "123456789".

crc_table       equ     CPM_RAM_ADDRESS+600h    ; a page of low bytes, then one of high bytes

; Builds the table. Before anything else that uses it.
; uses:  AF, BC, DE, HL
; size:  32 bytes, 122,633 T
crc_init:       ld      hl,crc_table
_entry:         ld      e,l
                ld      d,0
                ld      b,8
_bit:           srl     d
                rr      e
                jr      nc,_next
                ld      a,e
                xor     08h
                ld      e,a
                ld      a,d
                xor     84h
                ld      d,a
_next:          djnz    _bit
                ld      (hl),e
                inc     h
                ld      (hl),d
                dec     h
                inc     l
                jr      nz,_entry
                ret

; One more byte.
; enter: A = byte, DE = CRC
; exit:  DE = CRC
; uses:  AF, HL
; size:  10 bytes, 51 T
crc_update:     xor     e
                ld      l,a
                ld      h,crc_table/256
                ld      a,(hl)
                xor     d
                ld      e,a
                inc     h
                ld      d,(hl)
                ret
