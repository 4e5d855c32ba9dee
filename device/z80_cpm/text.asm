; Hashing, to the bit as docs/semantics.md says. Buckets are the low bits of a hash.

ZONE_STEP       equ     11929                   ; 7 * 31^3 modulo 65536: what the start of a zone adds to its hashes

; A to Z become a to z.
; enter: A = byte
; exit:  A = byte
; uses:  F
; size:  9 bytes, 18 – 41 T
text_lower:     cp      'A'
                ret     c
                cp      'Z'+1
                ret     nc
                or      20h
                ret

; One more character of a hash: 31 * hash + byte.
; enter: HL = hash, C = byte
; exit:  HL = hash
; uses:  AF, DE
; size:  15 bytes, 114 T
text_hash:      ld      d,h
                ld      e,l
                add     hl,hl
                add     hl,hl
                add     hl,hl
                add     hl,hl
                add     hl,hl
                or      a
                sbc     hl,de
                ld      e,c
                ld      d,0
                add     hl,de
                ret
