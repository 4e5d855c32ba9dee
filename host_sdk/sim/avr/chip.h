/* The simulated ATmega328P: creation, reset, and running it for a number of cycles. */
#ifndef ULM_CHIP_H
#define ULM_CHIP_H

#include <simavr/sim_avr.h>
#include <stdbool.h>
#include <stdint.h>

/* Data-space addresses of the registers that this runner models or watches (datasheet, chapter 30).
 */
enum chip_register {
    REG_DDRB = 0x24,
    REG_GPIOR0 = 0x3E,
    REG_EECR = 0x3F,
    REG_EEDR = 0x40,
    REG_EEARL = 0x41,
    REG_EEARH = 0x42,
    REG_SPCR = 0x4C,
    REG_SPSR = 0x4D,
    REG_SPDR = 0x4E,
    REG_SMCR = 0x53,
    REG_MCUSR = 0x54,
    REG_SPMCSR = 0x57,
    REG_SPL = 0x5D,
    REG_SPH = 0x5E,
    REG_PRR = 0x64,
    REG_UCSR0A = 0xC0,
    REG_UCSR0B = 0xC1,
    REG_UCSR0C = 0xC2,
    REG_UBRR0L = 0xC4,
    REG_UBRR0H = 0xC5,
    REG_UDR0 = 0xC6,
};

/* Why the chip was reset, as the bit of MCUSR that says so. */
enum reset_cause { RESET_POWER_ON = 1, RESET_EXTERNAL = 2, RESET_WATCHDOG = 8 };

struct chip_counters {
    uint64_t idle;          /* cycles asleep in idle mode */
    uint64_t power_down;    /* cycles asleep in power-down mode */
    uint64_t other_sleep;   /* cycles asleep in any other mode */
    uint32_t resets;        /* of any cause, power-on included */
    uint32_t illegal_wakes; /* wakes from power-down that silicon would have slept through */
    uint32_t wild;          /* accesses outside memory, which silicon ignores */
};

extern avr_t *chip; /* the one chip of this process */
extern struct chip_counters chip_counters;

/* Powers up a chip with erased memories; `boot` is the first byte of its boot section. */
void chip_create(uint32_t clock_hz, uint16_t boot, uint32_t supply_mv);

/* Every reset starts at the boot section (fuse BOOTRST). SRAM and registers r0-r31 keep their
 * contents. */
void chip_reset(enum reset_cause cause);

/* Asleep in power-down: no clock for the serial line. */
bool chip_stopped(void);

/* Runs until the cycle counter reaches `end`, give or take one instruction burst. */
void chip_run_until(avr_cycle_count_t end);

/* Ends that behind the present instruction. */
void chip_stop(void);

/* simavr's record of a peripheral: "uart", "eeprom", "spi". */
void *chip_module(const char *kind);

/* Replaces simavr's handlers of a register; NULL makes it plain memory. */
void chip_replace(uint16_t reg, avr_io_read_t read, avr_io_write_t write);

/* Calls `again` whenever the handler of an interrupt returns: level-triggered sources need it. */
void chip_on_return(avr_int_vector_t *vector, void (*again)(void));

#endif
