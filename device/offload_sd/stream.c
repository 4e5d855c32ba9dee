/* What the streams of both media share. */
#include "stream.h"

#include "image.h"
#include "medium.h"
#include "port.h"
#include "service.h"
#include "spi.h"

#define DONE 0xFF

uint8_t stream_layer;
uint32_t stream_written, stream_to_write;
jmp_buf stream_exit;
static uint16_t rested; /* since when, in 2^16 cycles */
uint8_t stream_fault;

uint8_t stream_next(void) {
    if (!stream_left)
        stream_block();
    stream_left--;
    uint8_t byte = SPDR;
    SPDR = SPI_IDLE;
    spi_settle();
    return byte;
}

void stream_read(void *bytes, uint8_t count) {
    for (uint8_t *byte = bytes; count--;)
        *byte++ = stream_next();
}

void stream_fail(uint8_t fault) {
    stream_fault = fault;
    longjmp(stream_exit, STATUS_MEDIUM);
}

static uint16_t clock_64k(void) { return (uint16_t)(port_cycles() >> 16); }

uint8_t stream_try(void (*action)(void)) {
    uint8_t code = (uint8_t)setjmp(stream_exit);
    if (code == STATUS_OK) {
        action();
        longjmp(stream_exit, DONE); /* brings back the registers that it did not save */
    }
    if (code == DONE)
        code = STATUS_OK;
    if (code == STATUS_MEDIUM) {
        if (stream_fault == FAULT_READ)
            stream_fault = medium_fault();
        medium_sleep();
    } else {
        stream_end();
    }
    rested = clock_64k();
    return code;
}

uint16_t stream_resting(void) { return clock_64k() - rested; }

void stream_poll(void) {
    uint32_t done = stream_position();
    uint32_t total = image.length;
    if (stream_layer) {
        done -= image.pass;
        total = image.stream_bytes;
    }
    service_progress(stream_layer, done, total);
    if (service_stopped())
        longjmp(stream_exit, STATUS_STOPPED);
}

void stream_poll_writing(void) { service_progress(0, stream_written, stream_to_write); }
