/* USART0 as the datasheet describes it: real frame times, real buffer depths, real overruns.
 *
 * It takes the place of simavr's model, whose frames last 11 bits and whose receiver never
 * overruns. Modelled: 5 to 8 data bits, parity and stop bits as time, the three interrupts. Not
 * modelled: parity errors, framing errors, nine bits, synchronous mode.
 */
#include "uart.h"
#include "chip.h"
#include "line.h"
#include "pins.h"

#include <math.h>
#include <simavr/avr_uart.h>

enum { RXC = 0x80, TXC = 0x40, UDRE = 0x20, DOR = 0x08, U2X = 0x02, MPCM = 0x01 }; /* UCSR0A */
enum { RXEN = 0x10, TXEN = 0x08 };                                                 /* UCSR0B */

enum { WIRE_BYTES = 256, BUFFER_BYTES = 2, RECEIVE_PIN = 0 };
static const double BAUD_TOLERANCE = 0.04;

struct uart_counters uart_counters;
static avr_uart_t *usart; /* simavr's record, for its interrupt vectors */

static uint8_t wire[WIRE_BYTES]; /* sent by the host, not yet arrived; a ring */
static size_t wire_first, wire_count;
static bool frame_arriving, frame_doomed;

static uint8_t buffer[BUFFER_BYTES]; /* what UDR0 reads; [0] is the oldest */
static size_t buffered;
static uint8_t receive_shift, transmit_shift, transmit_buffer;
static bool receive_waiting; /* receive_shift holds a whole byte that the buffer has no room for */
static bool transmitting, transmit_waiting;

static uint8_t *status(void) { return &chip->data[REG_UCSR0A]; }

static uint32_t bit_cycles(void) {
    uint32_t divider = (chip->data[REG_UBRR0H] & 0x0F) << 8 | chip->data[REG_UBRR0L];
    return (divider + 1) * (*status() & U2X ? 8 : 16);
}

static uint32_t data_bits(void) { return 5 + (chip->data[REG_UCSR0C] >> 1 & 3); }

static uint32_t frame_bits(void) {
    uint8_t c = chip->data[REG_UCSR0C];
    return 1 + data_bits() + (c & 0x20 ? 1 : 0) + (c & 0x08 ? 2 : 1);
}

/* A byte sent at one baud rate as a receiver at another samples it, in the middle of its own bits.
 */
static uint8_t heard(uint8_t byte, double sent_baud, double heard_baud) {
    if (fabs(heard_baud / sent_baud - 1) <= BAUD_TOLERANCE)
        return byte;
    uint8_t got = 0;
    for (int bit = 0; bit < 8; bit++) {
        double at = (bit + 1.5) * sent_baud / heard_baud;
        bool level = at >= 9 || (at >= 1 && byte >> ((int)at - 1) & 1);
        got |= level << bit;
    }
    return got == byte ? byte ^ 0x80 : got; /* the last bit is the first to go */
}

static double chip_baud(void) { return (double)chip->frequency / bit_cycles(); }

/* ---- receiver ---- */

static void raise_receive(void) {
    if (buffered)
        avr_raise_interrupt(chip, &usart->rxc);
}

static void buffer_push(uint8_t byte) {
    buffer[buffered++] = byte;
    uart_counters.received++;
    raise_receive();
}

static void flush_receiver(void) {
    buffered = 0;
    receive_waiting = false;
    *status() &= ~(RXC | DOR);
    avr_clear_interrupt(chip, &usart->rxc);
}

/* The start bit: with a byte still waiting in the shift register, or no clock, this frame is lost.
 */
static avr_cycle_count_t frame_start(void) {
    frame_arriving = true;
    frame_doomed = receive_waiting;
    if (frame_doomed)
        *status() |= DOR;
    if (chip_stopped()) {
        frame_doomed = true;
        pin_drive(RECEIVE_PIN, false);
    }
    return 10.0 * chip->frequency / line_baud();
}

static avr_cycle_count_t frame_end(avr_t *avr, avr_cycle_count_t when, void *param) {
    (void)param;
    uint8_t byte = heard(wire[wire_first], line_baud(), chip_baud());
    byte &= 0xFF >> (8 - data_bits());
    wire_first = (wire_first + 1) % WIRE_BYTES;
    wire_count--;
    if (frame_doomed) {
        uart_counters.dropped++;
    } else if (avr->data[REG_UCSR0B] & RXEN) {
        if (buffered < BUFFER_BYTES) {
            buffer_push(byte);
        } else {
            receive_shift = byte;
            receive_waiting = true;
        }
    }
    frame_arriving = false;
    pin_drive(RECEIVE_PIN, true);
    return wire_count ? when + frame_start() : 0;
}

size_t uart_room(void) { return WIRE_BYTES - wire_count; }

void uart_feed(const uint8_t *bytes, size_t count) {
    while (count--)
        wire[(wire_first + wire_count++) % WIRE_BYTES] = *bytes++;
    if (wire_count && !frame_arriving)
        avr_cycle_timer_register(chip, frame_start(), frame_end, NULL);
}

static uint8_t udr_read(avr_t *avr, avr_io_addr_t addr, void *param) {
    (void)param;
    if (!buffered)
        return avr->data[addr];
    uint8_t byte = buffer[0];
    buffer[0] = buffer[1];
    buffered--;
    *status() &= ~(RXC | DOR);
    avr_clear_interrupt(avr, &usart->rxc);
    if (receive_waiting) {
        receive_waiting = false;
        buffer_push(receive_shift);
    }
    raise_receive();
    return byte;
}

static uint8_t status_read(avr_t *avr, avr_io_addr_t addr, void *param) {
    (void)param;
    uart_counters.polls += !buffered;
    return avr->data[addr];
}

/* ---- transmitter ---- */

static void raise_empty(void) {
    if (*status() & UDRE && chip->data[REG_UCSR0B] & TXEN)
        avr_raise_interrupt(chip, &usart->udrc);
}

static avr_cycle_count_t frame_sent(avr_t *avr, avr_cycle_count_t when, void *param) {
    (void)param;
    uart_counters.transmitted++;
    line_send(heard(transmit_shift, chip_baud(), line_baud()));
    if (!transmit_waiting) {
        transmitting = false;
        avr_raise_interrupt(avr, &usart->txc);
        return 0;
    }
    transmit_waiting = false;
    transmit_shift = transmit_buffer;
    *status() |= UDRE;
    raise_empty();
    return when + bit_cycles() * frame_bits();
}

static void udr_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)addr, (void)param;
    if (!(avr->data[REG_UCSR0B] & TXEN) || transmit_waiting)
        return;
    if (transmitting) {
        transmit_waiting = true;
        transmit_buffer = v;
        *status() &= ~UDRE;
        avr_clear_interrupt(avr, &usart->udrc);
    } else {
        transmitting = true;
        transmit_shift = v;
        avr_cycle_timer_register(avr, bit_cycles() * frame_bits(), frame_sent, NULL);
    }
}

/* ---- control registers ---- */

static void status_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    uint8_t flags = avr->data[addr] & ~(U2X | MPCM);
    if (v & TXC) {
        flags &= ~TXC;
        avr_clear_interrupt(avr, &usart->txc);
    }
    avr->data[addr] = flags | (v & (U2X | MPCM));
}

static void control_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    avr->data[addr] = v;
    if (!(v & RXEN))
        flush_receiver();
    raise_receive();
    raise_empty();
}

void uart_reset(void) {
    flush_receiver();
    frame_arriving = false;
    transmitting = transmit_waiting = false;
    *status() = UDRE;
    chip->data[REG_UCSR0B] = 0;
    chip->data[REG_UCSR0C] = 0x06; /* eight bits */
    uart_feed(NULL, 0);
}

void uart_started(void) { frame_doomed = frame_arriving; }

void uart_create(void) {
    pin_drive(RECEIVE_PIN, true); /* the line idles high */
    usart = chip_module("uart");
    chip_replace(REG_UDR0, udr_read, udr_written);
    chip_replace(REG_UCSR0A, status_read, status_written);
    chip_replace(REG_UCSR0B, NULL, control_written);
    chip_replace(REG_UBRR0L, NULL, NULL);
    chip_on_return(&usart->rxc, raise_receive);
    chip_on_return(&usart->udrc, raise_empty);
}

bool uart_quiet(void) { return !wire_count && !buffered && !transmitting; }
