; Memory of the shell: behind the program, which main clears, and what is left of the engine's last page.

line            equ     variables_end           ; a typed line, or that of the command
reply_text      equ     line+RECORD_BYTES
shell_end       equ     reply_text+MAX_REPLY    ; must not reach the image

runtime_end:

frame_type:     defs    1               ; frame_type and frame_seq are compared as one word
frame_seq:      defs    1
frame_payload:  defs    MAX_PAYLOAD+2   ; and the CRC
frame_count:    defs    1               ; bytes received of an open frame
frame_length:   defs    1               ; of the payload of a complete frame
frame_open:     defs    1
frame_xor:      defs    1               ; FRAME_XOR behind an escape; frame_bit7 follows
frame_bit7:     defs    1               ; 80h behind the prefix
frame_crc_in:   defs    2
frame_crc_out:  defs    2

service_seq:    defs    1               ; of the request being answered
service_byte:   defs    1
service_waits:  defs    1               ; the host waits for progress frames
acked:          defs    2               ; type and seq of the request acknowledged last
acked_status:   defs    1
acked_value:    defs    2
answered_seq:   defs    1               ; of the last CHAT: repeated, it is answered from memory
query_length:   defs    1

reply_status:   defs    1               ; up to the digest this is what END begins with
reply_length:   defs    1
reply_passes:   defs    1
reply_digest:   defs    2
reply_left:     defs    1               ; 0 after the last pass
reply_act:      defs    1
reply_each:     defs    2

line_length:    defs    1

model_status:   defs    1
disk_file:      defs    2               ; the file control block being read
disk_needs:     defs    2               ; TPA that the last image looked at needs
uploading:      defs    1
upload_length:  defs    4               ; upload_length and upload_crc as BEGIN sends them
upload_crc:     defs    4
upload_position: defs   2
upload_sum:     defs    4               ; CRC-32 so far, not inverted
UPLOAD_FCB:     defs    36

stack_bottom:
stack_top       equ     CPM_RAM_ADDRESS
