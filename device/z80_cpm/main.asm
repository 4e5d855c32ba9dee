; The runtime for CP/M: ULM.COM, and with an image behind it CHAT.COM. Assembled once; models are data.

ORIGIN          equ     CPM_ORIGIN
STACK_BYTES     equ     96
STACK_PAINT     equ     0A5h

                include "spec.inc"

                org     ORIGIN
                jp      main

; The identity (host_sdk/spec/image.py): a mark, what HELLO says, the ABI of images.
                defb    "ULMR"
facts:          defb    PROTOCOL_REVISION
                defb    HELLO_SEVEN_BIT+HELLO_HALF_DUPLEX+HELLO_UPLOAD
                defb    MAX_PAYLOAD
                defw    0                       ; build, stamped in when it is shipped
                defw    SPEC_SUM
                defw    0,0                     ; the clock is not known
                defb    "cpm",0,0,0,0,0,0
FACTS_BYTES     equ     $-facts
                defb    CPM_ABI

