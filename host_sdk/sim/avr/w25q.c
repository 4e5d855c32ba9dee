/* A serial NOR flash of Winbond's W25Q family: identification, reads, programming, erasing, sleep.
 *
 * Commands and times: datasheet of the W25Q32JV; erasing the whole chip in proportion to its size.
 * What is programmed or erased is in the file at once; supply lost in the middle spoils what was
 * going on. Not modelled: dual and quad transfers, status writes, protection, suspend, SFDP,
 * security pages.
 */
#include "chip.h"
#include "part.h"

#include <string.h>

enum { PAGE = 256, SECTOR = 4096, BLOCK_32K = 32768, BLOCK_64K = 65536, FAULT_SHIFT = 9 };
enum { BUSY = 1, WEL = 2 };                                 /* status register 1 */
enum { WAKE_US = 3, POWER_UP_US = 20, WRITABLE_US = 5000 }; /* tRES1, tVSL, tPUW */

enum command {
    PAGE_PROGRAM = 0x02,
    READ = 0x03,
    WRITE_DISABLE = 0x04,
    READ_STATUS = 0x05,
    WRITE_ENABLE = 0x06,
    FAST_READ = 0x0B,
    ERASE_SECTOR = 0x20,
    ERASE_32K = 0x52,
    ERASE_CHIP = 0xC7,
    ERASE_CHIP_TOO = 0x60,
    READ_ID = 0x9F,
    WAKE = 0xAB,
    SLEEP = 0xB9,
    ERASE_64K = 0xD8,
};

static const struct model {
    const char *name;
    uint8_t id[3];
    uint8_t megabytes;
} MODELS[] = {
    {"w25q80", {0xEF, 0x40, 0x14}, 1},
    {"w25q16", {0xEF, 0x40, 0x15}, 2},
    {"w25q32", {0xEF, 0x40, 0x16}, 4},
    {"w25q64", {0xEF, 0x40, 0x17}, 8},
    {"w25q128", {0xEF, 0x40, 0x18}, 16},
    /* Two that 3-byte addresses or the third byte of the id cannot handle. */
    {"w25q256", {0xEF, 0x40, 0x19}, 32},
    {"at45db321", {0x1F, 0x27, 0x01}, 4},
};

static const struct latency {
    const char *name;
    uint32_t page_us, sector_us, block_32k_us, block_64k_us;
    uint32_t megabyte_us; /* of erasing the whole chip */
} LATENCIES[] = {
    {"typical", 400, 45000, 120000, 150000, 2500000},
    {"slow", 3000, 400000, 1600000, 2000000, 12500000},
};

static const struct model *model;
static const struct latency *latency;

static uint8_t command;
static uint32_t count; /* bytes since chip select, the command included */
static uint32_t address;
static bool enabled, asleep, deaf; /* WEL; power-down; not listening until the next select */
static avr_cycle_count_t listens_at, writable_at;

static uint8_t page[PAGE];
static uint32_t page_bytes; /* received, even if more than a page */

static uint32_t spoilt_at, spoilt_bytes; /* what is being written */
static uint8_t before[PAGE];             /* the page as it was */

static uint32_t mask(void) { return part_memory.size - 1; }

static const char *configure(const char *name, const char *speed) {
    for (size_t at = 0; at < sizeof MODELS / sizeof *MODELS; at++)
        if (!strcmp(MODELS[at].name, name))
            model = &MODELS[at];
    for (size_t at = 0; at < sizeof LATENCIES / sizeof *LATENCIES; at++)
        if (!strcmp(LATENCIES[at].name, speed))
            latency = &LATENCIES[at];
    return !model     ? "There is no such flash chip."
           : !latency ? "There is no such latency of a flash chip."
                      : NULL;
}

static const char *fits(uint64_t size) {
    return size == (uint64_t)model->megabytes << 20 ? NULL
                                                    : "does not have the size of the flash chip";
}

/* Programming that stops half way has set some bits; a sector half erased holds anything. */
static void spoil(void) {
    for (uint32_t at = 0; at < spoilt_bytes; at++) {
        uint8_t *byte = &part_memory.bytes[spoilt_at + at];
        if (spoilt_bytes > PAGE)
            *byte = part_random(256);
        else if (part_random(2))
            *byte = before[at];
    }
}

static void power(bool on) {
    if (!on && part_writing())
        spoil();
    enabled = asleep = false;
    deaf = true;
    spoilt_bytes = 0;
    listens_at = chip->cycle + part_cycles(POWER_UP_US);
    writable_at = chip->cycle + part_cycles(WRITABLE_US);
}

static void write_for(uint64_t cycles, uint32_t at, uint32_t bytes) {
    spoilt_at = at;
    spoilt_bytes = bytes;
    enabled = false;
    part_write_for(cycles);
}

static void program(void) {
    uint32_t start = address & ~(PAGE - 1);
    bool fails = (int64_t)(start >> FAULT_SHIFT) == part_faults.write_block;
    memcpy(before, part_memory.bytes + start, PAGE);
    for (uint32_t at = fails               ? page_bytes
                       : page_bytes > PAGE ? page_bytes - PAGE
                                           : 0;
         at < page_bytes; at++)
        part_memory.bytes[start | ((address + at) & (PAGE - 1))] &= page[at % PAGE];
    part_counters.writes++;
    write_for(part_cycles(latency->page_us), start, PAGE);
}

static void erase(uint32_t bytes, uint64_t cycles) {
    uint32_t start = address & ~(bytes - 1);
    memset(part_memory.bytes + start, 0xFF, bytes);
    for (uint32_t at = start; at < start + bytes; at += SECTOR)
        part_wear(at);
    part_counters.erases++;
    write_for(cycles, start, bytes);
}

static bool alters(void) {
    switch (command) {
    case PAGE_PROGRAM:
    case ERASE_SECTOR:
    case ERASE_32K:
    case ERASE_64K:
    case ERASE_CHIP:
    case ERASE_CHIP_TOO:
        return true;
    default:
        return false;
    }
}

/* Commands that act when chip select rises, after as many bytes as they have. */
static void act(void) {
    if (alters() && !enabled) {
        part_counters.ignored++;
    } else if (command == PAGE_PROGRAM && page_bytes) {
        program();
    } else if (command == ERASE_SECTOR && count == 4) {
        erase(SECTOR, part_cycles(latency->sector_us));
    } else if (command == ERASE_32K && count == 4) {
        erase(BLOCK_32K, part_cycles(latency->block_32k_us));
    } else if (command == ERASE_64K && count == 4) {
        erase(BLOCK_64K, part_cycles(latency->block_64k_us));
    } else if ((command == ERASE_CHIP || command == ERASE_CHIP_TOO) && count == 1) {
        address = 0;
        erase(part_memory.size, model->megabytes * part_cycles(latency->megabyte_us));
    } else if (command == WRITE_ENABLE && count == 1) {
        enabled = chip->cycle >= writable_at;
        part_counters.ignored += !enabled;
    } else if (command == WRITE_DISABLE && count == 1) {
        enabled = false;
    } else if (command == SLEEP && count == 1) {
        asleep = true;
        part_sleep(true);
    } else if (command == WAKE) {
        asleep = false;
        part_sleep(false);
        listens_at = chip->cycle + part_cycles(WAKE_US);
    } else if (alters()) {
        part_counters.ignored++;
    }
}

static void select(bool selected, bool whole) {
    if (selected) {
        count = 0;
        deaf = chip->cycle < listens_at;
    } else if (count && !deaf && whole) {
        act();
    }
}

static void begin(uint8_t in) {
    command = in;
    address = 0;
    page_bytes = 0;
    bool known = alters() || in == READ || in == FAST_READ || in == READ_STATUS || in == READ_ID ||
                 in == WRITE_ENABLE || in == WRITE_DISABLE || in == SLEEP || in == WAKE;
    deaf = !known || (asleep && in != WAKE) || (part_writing() && in != READ_STATUS);
    part_counters.ignored += deaf;
    part_counters.reads += !deaf && (in == READ || in == FAST_READ);
}

static uint8_t status(void) { return part_writing() ? BUSY | WEL : enabled ? WEL : 0; }

static uint8_t next_of_memory(void) {
    uint8_t byte = part_memory.bytes[address];
    if ((int64_t)(address >> FAULT_SHIFT) == part_faults.flip_block && !(address & 0x1FF))
        byte ^= 1;
    address = (address + 1) & mask();
    return byte;
}

static uint8_t exchange(uint8_t in) {
    if (deaf) {
        if (count++ == 0)
            part_counters.ignored++;
        return 0xFF;
    }
    uint32_t at = count++;
    if (at >= 4 && command == READ)
        return next_of_memory();
    if (at == 0) {
        begin(in);
        return 0xFF;
    }
    switch (command) {
    case READ_STATUS:
        return status();
    case READ_ID:
        return at <= sizeof model->id ? model->id[at - 1] : 0xFF;
    case WAKE:
        return at >= 4 ? model->id[2] - 1 : 0xFF;
    }
    if (at <= 3) {
        address = (address << 8 | in) & mask();
    } else if (command == PAGE_PROGRAM) {
        page[page_bytes++ % PAGE] = in;
    } else if (command == FAST_READ && at >= 5) {
        return next_of_memory();
    }
    return 0xFF;
}

static uint8_t pass_by(uint8_t in) {
    (void)in;
    return 0xFF;
}

const struct part_kind part_w25q = {.name = "flash",
                                    .wear_bytes = SECTOR,
                                    .configure = configure,
                                    .fits = fits,
                                    .power = power,
                                    .select = select,
                                    .exchange = exchange,
                                    .pass_by = pass_by};
