/* One virtual board: a simulated ATmega328P behind a pseudo-terminal, under the control of its
 * parent.
 *
 *   runner STATE_FOLDER CLOCK_HZ BOOT_ADDRESS SUPPLY_MV BAUD real|warp|fast [hold] [reset-on-open]
 *          [sd|flash MODEL LATENCY SEED switched|always FILE]
 *
 * `hold` keeps the chip in reset until the first reset command. The last six words put a part on
 * the SPI bus; an empty FILE, or none of that name, is an empty
 * socket. A separate program because it links
 * simavr, which is under the GPL: it is built where it runs, from sources that are not.
 */
#include "alarm.h"
#include "chip.h"
#include "control.h"
#include "counters.h"
#include "eeprom.h"
#include "line.h"
#include "pace.h"
#include "part.h"
#include "pins.h"
#include "socket.h"
#include "spi.h"
#include "store.h"
#include "uart.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { SLICES_PER_SECOND = 1000, POLL_LOOP_CYCLES = 64, PART_WORDS = 6 };

static volatile sig_atomic_t terminated;

static void terminate(int signal) {
    (void)signal;
    terminated = 1;
}

static uint64_t asleep(void) {
    return chip_counters.idle + chip_counters.power_down + chip_counters.other_sleep;
}

/* Runs one slice; true when the chip spent it waiting for the host: mostly asleep, or polling the
 * UART. */
static bool run_slice(uint64_t cycles) {
    uint64_t slept = asleep(), polls = uart_counters.polls;
    chip_run_until(chip->cycle + cycles);
    bool polling = (uart_counters.polls - polls) * POLL_LOOP_CYCLES > cycles;
    bool sleeping = (asleep() - slept) * 2 > cycles;
    return polling || sleeping;
}

/* Waits for the host or for the time to pass; false when the board is to be switched off. */
static bool wait_for_host(int64_t ns) {
    int fds[] = {STDIN_FILENO, line_input_fd(), line_open_fd()}, highest = 0;
    fd_set ready;
    FD_ZERO(&ready);
    for (int at = 0; at < 3; at++) {
        if (fds[at] >= 0)
            FD_SET(fds[at], &ready);
        highest = fds[at] > highest ? fds[at] : highest;
    }
    struct timespec time = {ns / 1000000000, ns % 1000000000};
    if (pselect(highest + 1, &ready, NULL, NULL, control_held ? NULL : &time, NULL) < 0)
        FD_ZERO(&ready);
    if (terminated || (FD_ISSET(STDIN_FILENO, &ready) && !control_serve()))
        return false;
    if (line_open_fd() >= 0 && FD_ISSET(line_open_fd(), &ready) && line_was_opened())
        chip_reset(RESET_EXTERNAL);
    return true;
}

static void run_board(void) {
    uint64_t slice = chip->frequency / SLICES_PER_SECOND;
    int64_t wait_ns = 0;
    while (wait_for_host(wait_ns)) {
        if (control_held)
            continue;
        line_exchange();
        uint64_t before = chip->cycle;
        bool idle = run_slice(slice);
        if (alarm_wants_reset())
            chip_reset(RESET_EXTERNAL);
        line_exchange();
        store_tick();
        socket_tick();
        wait_ns = pace_after(chip->cycle - before, idle && uart_quiet());
    }
    line_exchange();
}

/* NULL, or a sentence about why there is no such part. */
static const char *create_part(char **words) {
    static char sentence[PATH_MAX + 128];
    const char *path = words[5];
    bool card = !strcmp(words[0], "sd");
    const char *why =
        part_create(words[0], words[1], words[2], atol(words[3]), !strcmp(words[4], "switched"));
    if (why)
        return why;
    if (card)
        socket_follow(path);
    if (!*path || (card && access(path, F_OK)))
        return NULL;
    why = part_insert(path);
    if (!why)
        return NULL;
    snprintf(sentence, sizeof sentence, "The file %s %s.", path, why);
    return sentence;
}

int main(int count, char **words) {
    control_create();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, terminate);
    if (count < 7 || !pace_create(words[6], atol(words[2]))) {
        control_greet("error The runner was started with the wrong arguments.");
        return 2;
    }
    bool watch_opens = false;
    int at = 7;
    for (; at < count && count - at != PART_WORDS; at++) {
        control_held |= !strcmp(words[at], "hold");
        watch_opens |= !strcmp(words[at], "reset-on-open");
    }
    chip_create(atol(words[2]), atol(words[3]), atol(words[4]));
    uart_create();
    eeprom_create();
    spi_create();
    pins_create();
    counters_create();
    if (!store_load(words[1])) {
        control_greet("error The board's flash.bin or eeprom.bin is damaged.");
        return 1;
    }
    const char *trouble = at < count ? create_part(words + at) : NULL;
    if (trouble) {
        char line[PATH_MAX + 256];
        snprintf(line, sizeof line, "error %s", trouble);
        control_greet(line);
        return 1;
    }
    const char *tty = line_create(atol(words[5]), watch_opens);
    if (!tty) {
        control_greet("error No pseudo-terminal could be created.");
        return 1;
    }
    chip_reset(RESET_POWER_ON);
    control_greet(tty);
    run_board();
    part_off();
    store_save();
    control_greet("ok");
    return 0;
}
