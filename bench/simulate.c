/* Runs one bench program on a simulated AVR and prints what it did, cycle by cycle.
 *
 *   simulate MCU PROGRAM.bin <queries
 *
 * The program reads its queries from GPIOR1, one byte a read, each ended by a newline, 0xFF when
 * there are no more. It writes markers to GPIOR0 and outputs to GPIOR2, and ends by sleeping with
 * interrupts off. One line is printed per write, "m VALUE CYCLE" or "o VALUE", and in the end
 * "stack ADDRESS", the lowest that the stack pointer was. Not the runner of the virtual boards,
 * because a bench program has no bootloader, no serial line and may need a larger chip.
 */
#include <simavr/sim_avr.h>
#include <simavr/sim_core.h>
#include <simavr/sim_io.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REG_GPIOR0 = 0x3E, REG_GPIOR1 = 0x4A, REG_GPIOR2 = 0x4B, REG_SPL = 0x5D, REG_SPH = 0x5E };
enum { SRAM_FROM_IN_IO = 0x100 };

static const avr_cycle_count_t LONGEST = 4000000000; /* cycles; a program that runs on is broken */

static void marked(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    avr->data[addr] = v;
    printf("m %u %" PRIu64 "\n", v, avr->cycle);
}

static void given(avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param) {
    (void)param;
    avr->data[addr] = v;
    printf("o %u\n", v);
}

static uint8_t asked(avr_t *avr, avr_io_addr_t addr, void *param) {
    (void)param;
    int byte = getchar();
    return avr->data[addr] = byte == EOF ? 0xFF : (uint8_t)byte;
}

static void no_log(avr_t *avr, const int level, const char *format, va_list ap) {
    (void)avr, (void)level, (void)format, (void)ap;
}

/* Silicon powers up with noise in SRAM; a fixed seed keeps runs repeatable. */
static void fill_sram(avr_t *avr) {
    uint32_t noise = 0x328;
    for (int at = SRAM_FROM_IN_IO; at <= avr->ramend; at++) {
        noise = noise * 1664525 + 1013904223;
        avr->data[at] = noise >> 24;
    }
}

static int fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    return 1;
}

int main(int count, char **words) {
    if (count != 3)
        return fail("usage: simulate MCU PROGRAM.bin <queries");
    avr_global_logger_set(no_log);
    avr_t *avr = avr_make_mcu_by_name(words[1]);
    FILE *program = fopen(words[2], "rb");
    if (!avr || !program)
        return fail("unknown chip, or no program");
    avr_init(avr);
    fill_sram(avr);
    memset(avr->flash, 0xFF, avr->flashend + 1);
    if (!fread(avr->flash, 1, avr->flashend + 1, program) || fgetc(program) != EOF)
        return fail("the program is empty or larger than the chip");
    avr->codeend = avr->flashend;
    avr_register_io_write(avr, REG_GPIOR0, marked, NULL);
    avr_register_io_read(avr, REG_GPIOR1, asked, NULL);
    avr_register_io_write(avr, REG_GPIOR2, given, NULL);
    avr_reset(avr);
    avr->run_cycle_limit = 1; /* one instruction a step, so that the stack can be watched */

    uint16_t lowest = avr->ramend;
    int state = cpu_Running;
    while (state != cpu_Done && state != cpu_Crashed && avr->cycle < LONGEST) {
        state = avr_run(avr);
        uint16_t sp = avr->data[REG_SPH] << 8 | avr->data[REG_SPL];
        /* Until the start-up code has set it, the pointer means nothing. */
        if (sp >= SRAM_FROM_IN_IO && sp < lowest)
            lowest = sp;
    }
    printf("stack %u\n", lowest);
    return state == cpu_Done ? 0 : fail("the program crashed or did not end");
}
