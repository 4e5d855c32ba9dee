/* The EEPROM with the programming times of silicon; simavr's takes no time.
 *
 * A cell changes at the start of its programming time, so a reset in the middle finds it complete,
 * as on silicon.
 */
#include "eeprom.h"
#include "chip.h"
#include "store.h"

#include <simavr/avr_eeprom.h>
#include <stddef.h>

enum { EERE = 1, EEPE = 2, EEMPE = 4, EERIE = 8, MODE = 0x30 }; /* EECR */
enum { ERASE_AND_WRITE = 0x00, ERASE_ONLY = 0x10, WRITE_ONLY = 0x20 };
/* EEMPE lasts four cycles after the two of the sbi that set it. */
enum { BOTH_US = 3400, ONE_US = 1800, MASTER_CYCLES = 6, READ_HALT = 4, WRITE_HALT = 2 };

static avr_eeprom_t *module; /* simavr's record, for its cells and interrupt vector */

static uint8_t *control(void) { return &chip->data[REG_EECR]; }

/* The interrupt is a level: it asks again for as long as the EEPROM is ready. */
static void raise_ready(void) {
    if (*control() & EERIE && !(*control() & EEPE))
        avr_raise_interrupt(chip, &module->ready);
}

static avr_cycle_count_t master_ends(avr_t *avr, avr_cycle_count_t when, void *param) {
    (void)avr, (void)when, (void)param;
    *control() &= ~EEMPE;
    return 0;
}

static avr_cycle_count_t programmed(avr_t *avr, avr_cycle_count_t when, void *param) {
    (void)avr, (void)when, (void)param;
    *control() &= ~EEPE;
    raise_ready();
    return 0;
}

static void program(uint16_t cell) {
    uint8_t data = chip->data[REG_EEDR], mode = *control() & MODE;
    if (mode == ERASE_AND_WRITE)
        module->eeprom[cell] = data;
    else if (mode == ERASE_ONLY)
        module->eeprom[cell] = 0xFF;
    else if (mode == WRITE_ONLY)
        module->eeprom[cell] &= data;
    *control() = (*control() & ~EEMPE) | EEPE;
    avr_cycle_timer_register_usec(chip, mode == ERASE_AND_WRITE ? BOTH_US : ONE_US, programmed,
                                  NULL);
    chip->cycle += WRITE_HALT;
    store_touch();
}

static void control_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    uint8_t old = avr->data[addr];
    uint16_t cell = (avr->data[REG_EEARH] << 8 | avr->data[REG_EEARL]) & (EEPROM_BYTES - 1);
    if (old & EEPE) { /* busy: only the interrupt enable can change */
        avr->data[addr] = (old & ~EERIE) | (v & EERIE);
        return;
    }
    avr->data[addr] = (v & (MODE | EERIE)) | (old & EEMPE);
    if (v & EEPE && old & EEMPE) {
        program(cell);
    } else if (v & EEMPE) {
        avr->data[addr] |= EEMPE;
        avr_cycle_timer_register(avr, MASTER_CYCLES, master_ends, NULL);
    }
    if (v & EERE && !(avr->data[addr] & EEPE)) {
        avr->data[REG_EEDR] = module->eeprom[cell];
        avr->cycle += READ_HALT;
    }
    raise_ready();
}

void eeprom_reset(void) { *control() = 0; }

void eeprom_create(void) {
    module = chip_module("eeprom");
    chip_replace(REG_EECR, NULL, control_written);
    chip_on_return(&module->ready, raise_ready);
}

uint8_t *eeprom_cells(void) { return module->eeprom; }
