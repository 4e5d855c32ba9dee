/* The control channel: one line per command on standard input, one line per answer.
 *
 * First line printed: the path of the pty, or "error ..." and the end. Then, for each command, "ok
 * ..." or "error ...". Numbers are decimal unless noted. End of input, SIGTERM and "off" save and
 * end.
 *
 *   reset                 external reset (DTR)      ok
 *   off                   power off                 ok
 *   save                  write the state files     ok
 *   counters                                        ok name=value name=value ...
 *   stack                 forget the lowest SP      ok
 *   markers               GPIOR0 writes since last  ok lost=N cycle:value ...
 *   changes               pin changes since last    ok lost=N cycle:pin*4+STATE ...
 *   pin D13               read a pin                ok STATE LEVEL
 *   pin D2 0|1|z          drive or release it       ok
 *   analog A0|temp|vcc MV                           ok
 *   sram|flash|eeprom ADDRESS LENGTH                ok HEX
 *   insert PATH               connect the part's file   ok
 *   remove                    take it away              ok
 *   fault NAME BLOCK          of the part (part.h)      ok
 *   alarm remove|reset BYTES  when they are over SPI    ok
 *   wear                      of the part's units       ok unit:count ...
 *
 * STATE is 0 for low, 1 for high, 2 for input.
 */
#include "control.h"
#include "alarm.h"
#include "chip.h"
#include "counters.h"
#include "eeprom.h"
#include "pace.h"
#include "part.h"
#include "pins.h"
#include "socket.h"
#include "spi.h"
#include "store.h"
#include "uart.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = PATH_MAX + 16 };

bool control_held;
static FILE *answers;

void control_create(void) {
    answers = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO); /* simavr prints there on some faults */
}

void control_greet(const char *line) {
    fprintf(answers, "%s\n", line);
    fflush(answers);
}

static void print_counters(void) {
    fprintf(answers,
            "ok cycles=%" PRIu64 " idle=%" PRIu64 " power_down=%" PRIu64 " other_sleep=%" PRIu64
            " received=%" PRIu64 " transmitted=%" PRIu64 " dropped=%" PRIu64
            " lowest_stack=%u resets=%u illegal_wakes=%u wild=%u",
            (uint64_t)chip->cycle, chip_counters.idle, chip_counters.power_down,
            chip_counters.other_sleep, uart_counters.received, uart_counters.transmitted,
            uart_counters.dropped, counters_lowest_stack(), chip_counters.resets,
            chip_counters.illegal_wakes, chip_counters.wild);
    const struct part_counters *part = part_count();
    fprintf(answers,
            " spi_bytes=%" PRIu64 " spi_early=%" PRIu64 " spi_collisions=%" PRIu64
            " part_powered=%" PRIu64 " part_active=%" PRIu64 " part_writing=%" PRIu64
            " part_asleep=%" PRIu64 " part_backfed=%" PRIu64 " part_reads=%" PRIu64
            " part_writes=%" PRIu64 " part_erases=%" PRIu64 " part_ignored=%" PRIu64,
            spi_counters.bytes, spi_counters.early, spi_counters.collisions, part->powered,
            part->active, part->writing, part->asleep, part->backfed, part->reads, part->writes,
            part->erases, part->ignored);
}

static void print_memory(const char *name, uint32_t address, uint32_t length) {
    const uint8_t *memory = chip->data;
    uint32_t size = chip->ramend + 1;
    if (!strcmp(name, "flash")) {
        memory = chip->flash;
        size = chip->flashend + 1;
    } else if (!strcmp(name, "eeprom")) {
        memory = eeprom_cells();
        size = EEPROM_BYTES;
    }
    if (address > size || length > size - address) {
        fprintf(answers, "error The %s has %u bytes.", name, size);
        return;
    }
    fputs("ok ", answers);
    while (length--)
        fprintf(answers, "%02x", memory[address++]);
}

static void serve_pin(const char *name, const char *level) {
    int pin = pin_number(name);
    if (pin < 0 || strlen(level) > 1 || !strchr("01z", *level)) {
        fprintf(answers, "error There is no pin %s, or no level %s.", name, level);
        return;
    }
    fputs("ok", answers);
    if (!*level)
        fprintf(answers, " %d %d", pin_state(pin), pin_level(pin));
    else if (*level == 'z')
        pin_release(pin);
    else
        pin_drive(pin, *level == '1');
}

static void print_events(struct events *log) {
    fputs("ok", answers);
    events_print(log, answers);
}

static void serve_insert(const char *path) {
    const char *why = part_insert(path);
    if (why) {
        fprintf(answers, "error The file %s %s.", path, why);
    } else {
        socket_follow(path);
        fputs("ok", answers);
    }
}

/* True to go on. */
static bool serve(const char *line) {
    char word[16] = "", name[16] = "", level[16] = "";
    uint32_t first, second;
    sscanf(line, "%15s %15s %15s", word, name, level);
    if (sscanf(line, "%*s %" SCNu32 " %" SCNu32, &first, &second) == 2 &&
        (!strcmp(word, "sram") || !strcmp(word, "flash") || !strcmp(word, "eeprom"))) {
        print_memory(word, first, second);
    } else if (!strcmp(word, "analog") && sscanf(level, "%" SCNu32, &first) == 1 &&
               analog_set(name, first)) {
        fputs("ok", answers);
    } else if (!strcmp(word, "pin")) {
        serve_pin(name, level);
    } else if (!strcmp(word, "counters")) {
        print_counters();
    } else if (!strcmp(word, "markers")) {
        print_events(&counters_markers);
    } else if (!strcmp(word, "changes")) {
        print_events(&pins_changes);
    } else if (!strcmp(word, "reset")) {
        control_held = false;
        chip_reset(RESET_EXTERNAL);
        pace_host_acted();
        fputs("ok", answers);
    } else if (!strcmp(word, "stack")) {
        counters_forget_stack();
        fputs("ok", answers);
    } else if (!strcmp(word, "save")) {
        store_save();
        fputs("ok", answers);
    } else if (!strncmp(line, "insert ", 7)) {
        serve_insert(line + 7);
    } else if (!strcmp(word, "remove")) {
        socket_follow("");
        part_remove();
        fputs("ok", answers);
    } else if (!strcmp(word, "fault") && part_fault(name, atoll(level))) {
        fputs("ok", answers);
    } else if (!strcmp(word, "alarm") && alarm_set(strtoull(level, NULL, 10), name)) {
        fputs("ok", answers);
    } else if (!strcmp(word, "wear")) {
        fputs("ok", answers);
        part_print_wear(answers);
    } else if (!strcmp(word, "off")) {
        return false;
    } else {
        fprintf(answers, "error Not understood: %s", line);
    }
    fputc('\n', answers);
    fflush(answers);
    return true;
}

bool control_serve(void) {
    static char line[LINE_BYTES];
    static size_t length;
    char bytes[LINE_BYTES];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got <= 0)
        return false;
    for (ssize_t at = 0; at < got; at++) {
        if (bytes[at] != '\n') {
            if (length < LINE_BYTES - 1)
                line[length++] = bytes[at];
            continue;
        }
        line[length] = 0;
        length = 0;
        if (!serve(line))
            return false;
    }
    return true;
}
