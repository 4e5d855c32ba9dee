/* The part on the SPI bus: an SD card in its socket, or a flash chip; its supply, its chip select,
 * its file, and what it has counted. */
#include "part.h"
#include "chip.h"
#include "pins.h"
#include "spi.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SELECT_PIN = 10, POWER_PIN = 8 };
static const struct part_faults NO_FAULTS = {.read_block = -1, .write_block = -1, .flip_block = -1};

static uint8_t open_bus(uint8_t in) {
    (void)in;
    return 0xFF; /* pulled up */
}

uint8_t (*part_exchange)(uint8_t in) = open_bus;
struct part_counters part_counters;
struct part_faults part_faults = {.read_block = -1, .write_block = -1, .flip_block = -1};
struct memory part_memory;

static const struct part_kind *const KINDS[] = {&part_sd_card, &part_w25q};
static const struct part_kind *kind;
static bool switched, switch_closed, select_high, selected, powered, asleep;
static avr_cycle_count_t write_ends, accounted;
static uint32_t random_state;
static uint32_t *wear; /* by unit */
static uint64_t wear_units;

/* Adds the cycles since the last call to what the part did in them. */
static void account(void) {
    avr_cycle_count_t now = chip->cycle, since = accounted;
    accounted = now;
    if (!powered) {
        if (part_memory.bytes && select_high)
            part_counters.backfed += now - since;
        return;
    }
    avr_cycle_count_t writing = 0;
    if (part_faults.busy || write_ends >= now)
        writing = now - since;
    else if (write_ends > since)
        writing = write_ends - since;
    part_counters.powered += now - since;
    part_counters.writing += writing;
    if (asleep)
        part_counters.asleep += now - since - writing;
    else if (selected)
        part_counters.active += now - since - writing;
}

static void connect_bus(void) {
    if (!powered || part_faults.silent)
        part_exchange = open_bus;
    else
        part_exchange = selected ? kind->exchange : kind->pass_by;
}

static void set_supply(bool on) {
    account();
    if (on == powered)
        return;
    kind->power(on);
    powered = on;
    asleep = false;
    write_ends = 0;
    connect_bus();
}

static void update_supply(void) { set_supply(part_memory.bytes && (!switched || switch_closed)); }

static void follow_pin(int pin, enum pin_state state) {
    if (pin == POWER_PIN) {
        switch_closed = state == PIN_LOW;
        update_supply();
    }
    if (pin != SELECT_PIN)
        return;
    account();
    select_high = state == PIN_HIGH;
    if ((state == PIN_LOW) != selected) {
        bool whole = spi_whole();
        if (powered)
            kind->select(!selected, whole);
        selected = !selected;
        connect_bus();
    }
}

const char *part_create(const char *name, const char *model, const char *latency, uint32_t seed,
                        bool with_switch) {
    for (size_t at = 0; at < sizeof KINDS / sizeof *KINDS; at++)
        if (!strcmp(KINDS[at]->name, name))
            kind = KINDS[at];
    if (!kind)
        return "There is no such part.";
    random_state = seed * 2654435761u + 1;
    switched = with_switch;
    pins_on_change(follow_pin);
    return kind->configure(model, latency);
}

const char *part_insert(const char *path) {
    if (!kind)
        return "has no place on this board";
    part_remove();
    const char *why = memory_open(&part_memory, path);
    if (!why)
        why = kind->fits(part_memory.size);
    if (why) {
        memory_close(&part_memory);
        return why;
    }
    wear_units = (part_memory.size + kind->wear_bytes - 1) / kind->wear_bytes;
    wear = calloc(wear_units, sizeof *wear);
    update_supply();
    return NULL;
}

void part_remove(void) {
    if (!kind)
        return;
    set_supply(false);
    memory_close(&part_memory);
    free(wear);
    wear = NULL;
    wear_units = 0;
}

const struct part_counters *part_count(void) {
    account();
    return &part_counters;
}

bool part_fault(const char *name, int64_t block) {
    account();
    if (!strcmp(name, "none"))
        part_faults = NO_FAULTS;
    else if (!strcmp(name, "silent"))
        part_faults.silent = true;
    else if (!strcmp(name, "busy"))
        part_faults.busy = true;
    else if (!strcmp(name, "read"))
        part_faults.read_block = block;
    else if (!strcmp(name, "write"))
        part_faults.write_block = block;
    else if (!strcmp(name, "flip"))
        part_faults.flip_block = block;
    else
        return false;
    if (kind)
        connect_bus();
    return true;
}

void part_off(void) {
    if (kind)
        set_supply(false);
}

void part_write_for(uint64_t cycles) {
    account();
    write_ends = cycles ? chip->cycle + cycles : 0;
}

bool part_writing(void) { return chip->cycle < write_ends || part_faults.busy; }

void part_sleep(bool sleeps) {
    account();
    asleep = sleeps;
}

uint64_t part_cycles(uint32_t us) { return (uint64_t)us * chip->frequency / 1000000; }

uint32_t part_random(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return below ? random_state % below : 0;
}

void part_wear(uint64_t address) { wear[address / kind->wear_bytes]++; }

void part_print_wear(FILE *to) {
    for (uint64_t at = 0; at < wear_units; at++)
        if (wear[at])
            fprintf(to, " %" PRIu64 ":%u", at, wear[at]);
}
