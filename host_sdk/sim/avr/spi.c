/* The SPI peripheral as master: transfers that take their time, and what happens to hasty firmware.
 *
 * It takes the place of simavr's model, whose bytes last 100 us at every divider. Measured on
 * silicon at clk/2, in cycles from the start of the OUT that writes SPDR (docs/virtual-boards.md):
 * what was received can be read, and SPIF is set, from the 17th; SPDR takes the next byte from the
 * 18th; one written in the 17th goes out as 0. Slower dividers: the same cycle behind the last bit.
 *
 * Nothing runs per byte but the two handlers: the end of a transfer is noticed when firmware looks.
 * Not modelled: slave mode, multi-master (SS as an input).
 */
#include "spi.h"
#include "alarm.h"
#include "chip.h"
#include "part.h"

#include <simavr/avr_spi.h>

enum { SPIF = 0x80, WCOL = 0x40, SPI2X = 0x01 };                                         /* SPSR */
enum { SPIE = 0x80, SPE = 0x40, DORD = 0x20, MSTR = 0x10, CPOL = 8, CPHA = 4, SPR = 3 }; /* SPCR */
enum { PRSPI = 0x04 };                                                                   /* PRR */
enum { OUTPUTS = 0x28 };          /* MOSI and SCK of DDRB: without them nothing leaves the chip */
enum { BITS = 8, TAKE_OVER = 1 }; /* cycles from the last bit to SPIF */

struct spi_counters spi_counters;
uint64_t spi_alarm;
static avr_spi_t *module; /* simavr's record, for its interrupt vector */

static bool under_way;            /* and not yet noticed as over */
static avr_cycle_count_t over_at; /* cycle from which the received byte can be read */
static uint8_t arriving, received;
static uint8_t seen; /* flags that firmware has read as set: the next access to SPDR clears them */
static uint32_t divider = 4;
static bool as_master; /* enabled, as master, in a mode of the bus that the parts know */

static uint8_t *status(void) { return &chip->data[REG_SPSR]; }

static void configure(void) {
    static const uint8_t SLOW[] = {4, 16, 64, 128}, DOUBLED[] = {2, 8, 32, 64};
    uint8_t control = chip->data[REG_SPCR];
    divider = (*status() & SPI2X ? DOUBLED : SLOW)[control & SPR];
    as_master = (control & (SPE | MSTR)) == (SPE | MSTR);
}

/* Parts listen in modes 0 and 3 only. */
static bool understood(void) {
    uint8_t mode = chip->data[REG_SPCR] & (CPOL | CPHA);
    return (mode == 0 || mode == (CPOL | CPHA)) && (chip->data[REG_DDRB] & OUTPUTS) == OUTPUTS;
}

static uint8_t mirrored(uint8_t byte) {
    uint8_t got = 0;
    for (int bit = 0; bit < BITS; bit++)
        got |= (byte >> bit & 1) << (BITS - 1 - bit);
    return got;
}

static uint8_t exchanged(uint8_t byte) {
    if (!understood())
        return 0xFF;
    if (chip->data[REG_SPCR] & DORD)
        return mirrored(part_exchange(mirrored(byte)));
    return part_exchange(byte);
}

static void notice_end(void) {
    if (!under_way || chip->cycle < over_at)
        return;
    under_way = false;
    received = arriving;
    *status() |= SPIF;
}

static avr_cycle_count_t interrupt_due(avr_t *avr, avr_cycle_count_t when, void *param) {
    (void)avr, (void)when, (void)param;
    notice_end();
    if (*status() & SPIF)
        avr_raise_interrupt(chip, &module->spi);
    return 0;
}

static void clear_seen(void) {
    if (seen & SPIF)
        avr_clear_interrupt(chip, &module->spi);
    *status() &= ~seen;
    seen = 0;
}

static uint8_t data_read(avr_t *avr, avr_io_addr_t addr, void *param) {
    (void)avr, (void)addr, (void)param;
    notice_end();
    spi_counters.early += under_way;
    clear_seen();
    return received;
}

static void data_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)addr, (void)param;
    notice_end();
    clear_seen();
    if (!as_master || avr->data[REG_PRR] & PRSPI)
        return;
    if (under_way) {
        *status() |= WCOL;
        spi_counters.collisions++;
        return;
    }
    if (avr->cycle == over_at) {
        spi_counters.collisions++;
        v = 0;
    }
    if (++spi_counters.bytes == spi_alarm)
        alarm_ring();
    arriving = exchanged(v);
    under_way = true;
    over_at = avr->cycle + BITS * divider + TAKE_OVER;
    if (avr->data[REG_SPCR] & SPIE)
        avr_cycle_timer_register(avr, over_at - avr->cycle, interrupt_due, NULL);
}

static uint8_t status_read(avr_t *avr, avr_io_addr_t addr, void *param) {
    (void)param;
    notice_end();
    seen = avr->data[addr] & (SPIF | WCOL);
    return avr->data[addr];
}

static void status_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    notice_end();
    avr->data[addr] = (avr->data[addr] & ~SPI2X) | (v & SPI2X);
    configure();
}

static void control_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    notice_end();
    avr->data[addr] = v;
    configure();
    if (!(v & SPE))
        under_way = false;
    if (v & SPIE)
        avr_cycle_timer_register(avr, under_way ? over_at - avr->cycle : 1, interrupt_due, NULL);
}

uint32_t spi_clock_hz(void) { return chip->frequency / divider; }

bool spi_whole(void) {
    bool whole = !under_way || chip->cycle + TAKE_OVER >= over_at;
    if (!whole)
        arriving = 0xFF;
    return whole;
}

void spi_reset(void) {
    under_way = false;
    over_at = 0;
    seen = 0;
    *status() = 0;
    chip->data[REG_SPCR] = 0;
    configure();
}

void spi_create(void) {
    module = chip_module("spi");
    chip_replace(REG_SPDR, data_read, data_written);
    chip_replace(REG_SPSR, status_read, status_written);
    chip_replace(REG_SPCR, NULL, control_written);
}
