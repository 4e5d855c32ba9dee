/* The simulated ATmega328P: creation, reset, and running it for a number of cycles. */
#include "chip.h"
#include "counters.h"
#include "eeprom.h"
#include "pins.h"
#include "spi.h"
#include "store.h"
#include "uart.h"

#include <simavr/sim_core.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURST_CYCLES = 1000,     /* instructions run this long between looks at timers and interrupts */
    ENTRY_CYCLES = 4,        /* interrupt response; simavr counts none */
    WAKE_CYCLES = 4,         /* more of them when the chip slept */
    START_UP_CYCLES = 16384, /* of the crystal after power-down (datasheet table 9-4) */
    POWER_DOWN = 2,
    SLEEP_ENABLE = 1,
    SPM_ENABLE = 1,
    DATA_SPACE = 0x10000,
};

/* Vectors that wake a real chip from power-down: INT0/1, PCINT0-2, watchdog, TWI address match. */
static const uint32_t POWER_DOWN_WAKES = 0x7E | 1u << 24;

avr_t *chip;
struct chip_counters chip_counters;
static uint16_t boot_section;
static avr_cycle_count_t run_end;

static uint8_t sleep_mode(void) { return chip->data[REG_SMCR] >> 1 & 7; }

bool chip_stopped(void) { return chip->state == cpu_Sleeping && sleep_mode() == POWER_DOWN; }

static void count_sleep(avr_cycle_count_t cycles) {
    switch (sleep_mode()) {
    case 0:
        chip_counters.idle += cycles;
        break;
    case POWER_DOWN:
        chip_counters.power_down += cycles;
        break;
    default:
        chip_counters.other_sleep += cycles;
    }
}

static void enter_interrupt(bool woken) {
    avr_flashaddr_t before = chip->pc;
    avr_service_interrupts(chip);
    if (chip->pc == before)
        return;
    chip->cycle += woken ? ENTRY_CYCLES + WAKE_CYCLES : ENTRY_CYCLES;
    if (!woken || sleep_mode() != POWER_DOWN)
        return;
    if (!(POWER_DOWN_WAKES >> chip->pc / chip->vector_size & 1))
        chip_counters.illegal_wakes++;
    chip_counters.power_down += START_UP_CYCLES; /* the CPU stands still, and nothing is received */
    chip->cycle += START_UP_CYCLES;
    uart_started();
}

/* One burst of instructions, or one stretch of sleep: simavr's loop without its wall-clock
 * sleeping. */
static void step(avr_t *avr) {
    avr_flashaddr_t next = avr->pc;
    bool asleep = avr->state == cpu_Sleeping;
    if (!asleep)
        next = avr_run_one(avr);
    if (avr->state == cpu_Crashed) {
        chip_counters.wild++;
        avr->state = cpu_Running;
    }
    avr_cycle_count_t quiet = avr_cycle_timer_process(avr);
    avr->pc = next;
    if (avr->state == cpu_Sleeping && !(avr->data[REG_SMCR] & SLEEP_ENABLE))
        avr->state = cpu_Running;
    if (avr->state == cpu_Sleeping) {
        avr_cycle_count_t left = run_end > avr->cycle ? run_end - avr->cycle : 1;
        avr_cycle_count_t skip = quiet < left ? quiet : left;
        skip = skip ? skip : 1;
        avr->cycle += skip;
        count_sleep(skip);
    }
    if (avr->interrupt_state)
        enter_interrupt(asleep);
}

void chip_run_until(avr_cycle_count_t end) {
    run_end = end;
    while (chip->cycle < run_end) {
        chip->run(chip);
        if (chip->run != step) /* simavr's way of asking for a watchdog reset */
            chip_reset(RESET_WATCHDOG);
    }
}

void chip_stop(void) {
    run_end = chip->cycle;
    chip->run_cycle_count = 0; /* not even the burst goes on */
}

void chip_reset(enum reset_cause cause) {
    uint8_t flags = cause == RESET_POWER_ON ? 0 : chip->data[REG_MCUSR];
    avr_reset(chip);
    chip->run_cycle_limit = BURST_CYCLES;
    chip->data[REG_MCUSR] = flags | cause;
    uart_reset();
    eeprom_reset();
    pins_reset();
    spi_reset(); /* after the chip select, which may have cut a byte */
    store_save();
    chip_counters.resets++;
}

static avr_io_write_t flash_control;
static void *flash_module;

/* Self-programming works from the boot section only; the SPM itself follows within four cycles. */
static void spmcsr_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    if (avr->pc < boot_section)
        v &= ~SPM_ENABLE;
    flash_control(avr, addr, v, flash_module);
    store_touch();
}

/* Silicon powers up with noise in SRAM; a fixed seed keeps runs repeatable. */
static void fill_sram(void) {
    uint32_t noise = 0x328;
    for (int at = 0x100; at <= chip->ramend; at++) {
        noise = noise * 1664525 + 1013904223;
        chip->data[at] = noise >> 24;
    }
}

static void no_log(avr_t *avr, const int level, const char *format, va_list ap) {
    (void)avr, (void)level, (void)format, (void)ap;
}

void chip_create(uint32_t clock_hz, uint16_t boot, uint32_t supply_mv) {
    avr_global_logger_set(no_log);
    chip = avr_make_mcu_by_name("atmega328p");
    avr_init(chip);
    /* Room for the whole address space: stray writes must not reach the simulator's own memory. */
    chip->data = realloc(chip->data, DATA_SPACE);
    fill_sram();
    chip->frequency = clock_hz;
    chip->vcc = chip->avcc = chip->aref = supply_mv;
    chip->run = step;
    boot_section = boot;
    chip->reset_pc = boot;
    flash_control = chip->io[AVR_DATA_TO_IO(REG_SPMCSR)].w.c;
    flash_module = chip->io[AVR_DATA_TO_IO(REG_SPMCSR)].w.param;
    chip_replace(REG_SPMCSR, NULL, spmcsr_written);
}

void *chip_module(const char *kind) {
    avr_io_t *module = chip->io_port;
    while (module && strcmp(module->kind, kind))
        module = module->next;
    return module;
}

void chip_replace(uint16_t reg, avr_io_read_t read, avr_io_write_t write) {
    avr_io_addr_t at = AVR_DATA_TO_IO(reg);
    chip->io[at].r.c = read;
    chip->io[at].w.c = write;
}

static void handler_running(struct avr_irq_t *irq, uint32_t running, void *again) {
    (void)irq;
    if (!running)
        ((void (*)(void))again)();
}

void chip_on_return(avr_int_vector_t *vector, void (*again)(void)) {
    avr_irq_register_notify(vector->irq + AVR_INT_IRQ_RUNNING, handler_running, (void *)again);
}
