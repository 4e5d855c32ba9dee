/* The blocks of an SD card on their way: waited for, sent, received, written, each in its time. */
#ifndef ULM_SDBLOCK_H
#define ULM_SDBLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { SDBLOCK_BYTES = 512, SDBLOCK_REGISTER_BYTES = 16 };

/* False when there is no latency of that name. */
bool sdblock_configure(const char *latency);

/* Microseconds from supply to the first clock that counts, and of initialisation. */
uint32_t sdblock_wake_us(void);
uint32_t sdblock_ready_us(void);

/* What the card holds, in blocks. */
uint64_t sdblock_count(void);

/* Supply comes, or goes: what was being written then is left half done. */
void sdblock_power(bool on);

/* From the next byte on, with the first block after a while: read or written, one or many. */
void sdblock_read(uint64_t block, bool many);
void sdblock_write(uint64_t block, bool many);

/* Sends a register, its last byte the CRC-7 of those before. */
void sdblock_send_register(const uint8_t *bytes);

/* Ends whatever is on its way. */
void sdblock_stop(void);

/* A block received half is forgotten: chip select rose. */
void sdblock_deselect(void);

/* The byte that the card sends now; FFh when there is nothing to send. */
uint8_t sdblock_sent(void);

/* Takes a byte if a block, or the token of one, is awaited. `checked`: CRCs count. `answer` is what
 * the card says to it, or FFh. */
bool sdblock_took(uint8_t in, bool checked, uint8_t *answer);

/* All bytes belong to a block now. */
bool sdblock_receiving(void);

#endif
