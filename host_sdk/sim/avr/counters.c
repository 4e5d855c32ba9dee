/* What a bench wants to know: the deepest stack and the markers that firmware writes to GPIOR0.
 *
 * The stack pointer is watched at every write, so the depth is exact, interrupts included. Pushes
 * and calls write SPL and then SPH within one cycle count; firmware that moves the pointer with two
 * OUTs writes SPH first, and in between the pair means nothing.
 */
#include "counters.h"
#include "chip.h"

struct events counters_markers;
static uint16_t lowest = 0xFFFF;
static bool low_written; /* SPL was written last */
static avr_cycle_count_t low_cycle;

static void note(void) {
    uint16_t sp = chip->data[REG_SPH] << 8 | chip->data[REG_SPL];
    if (sp < lowest)
        lowest = sp;
    low_written = false;
}

static void spl_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    if (low_written)
        note();
    avr->data[addr] = v;
    low_written = true;
    low_cycle = avr->cycle;
}

static void sph_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    bool pair = low_written && low_cycle == avr->cycle;
    if (low_written && !pair)
        note();
    avr->data[addr] = v;
    if (pair)
        note();
}

static void gpior0_written(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    avr->data[addr] = v;
    events_add(&counters_markers, v);
}

void counters_create(void) {
    chip_replace(REG_SPL, NULL, spl_written);
    chip_replace(REG_SPH, NULL, sph_written);
    chip_replace(REG_GPIOR0, NULL, gpior0_written);
}

uint16_t counters_lowest_stack(void) {
    if (low_written)
        note();
    return lowest;
}

void counters_forget_stack(void) {
    lowest = 0xFFFF;
    note();
}
