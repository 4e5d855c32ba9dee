/* The stream of weights: bytes of the open image straight from the bus.
 *
 * One byte is always on its way. Taking a byte means: read SPDR, then write FFh to it, which
 * fetches the next one; 18 cycles from write to write, 17 from write to read. So behind the last
 * byte of a block one more byte is in flight. Every function here may be called so. What fails
 * leaves through stream_exit. */
#ifndef STREAM_H
#define STREAM_H

#include <setjmp.h>
#include <stdint.h>

extern uint32_t stream_base; /* block of 512 bytes where position 0 lies */

/* Bytes that may be taken before stream_block(), the one that lies ready in SPDR included. */
extern uint16_t stream_left;

/* What PROGRESS says: 0 is all that is no layer. */
extern uint8_t stream_layer;

/* Makes the byte at a position of the image the next one. */
void stream_seek(uint32_t position);

/* Goes on when nothing is left: asks whether to stop, waits for the medium. */
void stream_block(void);

uint8_t stream_next(void);
void stream_read(void *bytes, uint8_t count);
void stream_skip(uint16_t count);
uint32_t stream_position(void);

/* Adds `count` bytes, at least one and at most stream_left, to a CRC-16/X-25 at the speed of the
 * bus. */
uint16_t stream_crc(uint16_t crc, uint16_t count);

/* Ends the read: the medium rests, with power. */
void stream_end(void);

/* How long it has been resting, in 2^16 cycles. */
uint16_t stream_resting(void);

/* An attribute of actions: they save no registers on the stack. */
#ifdef __AVR__
#define STREAM_ACTION __attribute__((OS_task))
#else
#define STREAM_ACTION
#endif

/* Runs `action` until it returns or fails: STATUS_OK or what it failed with. Not to be nested. */
uint8_t stream_try(void (*action)(void));

extern jmp_buf stream_exit;  /* longjmp(stream_exit, STATUS_...) */
extern uint8_t stream_fault; /* FAULT_... behind the last STATUS_MEDIUM */

void stream_fail(uint8_t fault) __attribute__((noreturn)); /* STATUS_MEDIUM */

/* Tells the host how far the stream is and hears whether it shall stop. The medium calls it where
 * it waits. */
void stream_poll(void);

/* The same while the medium is written: it cannot be stopped. */
extern uint32_t stream_written, stream_to_write;
void stream_poll_writing(void);

#endif
