/* The blocks of an SD card on their way: waited for, sent, received, written, each in its time.
 *
 * What is written is in the file at once; supply lost while the card is busy leaves a block that is
 * new at its beginning and old at its end.
 */
#include "sdblock.h"
#include "chip.h"
#include "part.h"
#include "sdcrc.h"

#include <string.h>

enum { CHECK = 2 };
enum { TOKEN = 0xFE, TOKEN_MULTIPLE = 0xFC, TOKEN_STOP = 0xFD };
enum { ERROR_ECC = 0x04, ERROR_OUTSIDE = 0x08 };              /* instead of a token */
enum { ACCEPTED = 0xE5, REFUSED_CRC = 0xEB, REFUSED = 0xED }; /* after a block */

/* Microseconds, drawn between two limits; once in so many draws between two others. */
struct range {
    uint32_t low, high;
    uint32_t one_in, rare_low, rare_high;
};

static const struct latency {
    const char *name;
    uint32_t wake_us, ready_us;
    struct range first, gap, write;
} LATENCIES[] = {
    {.name = "ideal"},
    {"typical",
     1000,
     20000,
     {.low = 330, .high = 330},
     {.low = 120, .high = 120},
     {.low = 1000, .high = 1000}},
    {"cheap",
     1000,
     300000,
     {330, 600, 100, 20000, 20000},
     {120, 500, 200, 20000, 20000},
     {1000, 5000, 30, 20000, 250000}},
};

static const struct latency *latency;

static enum { NOTHING, WAITING, SENDING, AWAITING_TOKEN, RECEIVING } state;
static bool multiple;
static uint64_t block;                        /* number of the one on its way */
static avr_cycle_count_t due;                 /* when its token can go out */
static uint8_t error_token;                   /* instead of the block; 0 for none */
static uint8_t buffer[SDBLOCK_BYTES + CHECK]; /* it, or a register */
static uint32_t buffer_at, buffer_end;        /* end: its length with the check */
static uint8_t before[SDBLOCK_BYTES];         /* the block last written, as it was */
static int64_t written;                       /* its number, -1 for none */

static uint64_t drawn(const struct range *range) {
    uint32_t low = range->low, high = range->high;
    if (range->one_in && part_random(range->one_in) == 0) {
        low = range->rare_low;
        high = range->rare_high;
    }
    return part_cycles(low + part_random(high - low + 1));
}

bool sdblock_configure(const char *name) {
    for (size_t at = 0; at < sizeof LATENCIES / sizeof *LATENCIES; at++)
        if (!strcmp(LATENCIES[at].name, name))
            latency = &LATENCIES[at];
    return latency;
}

uint32_t sdblock_wake_us(void) { return latency->wake_us; }

uint32_t sdblock_ready_us(void) { return latency->ready_us; }

uint64_t sdblock_count(void) { return part_memory.size / SDBLOCK_BYTES; }

static uint8_t *cell(uint64_t number) { return part_memory.bytes + number * SDBLOCK_BYTES; }

void sdblock_power(bool on) {
    if (!on && part_writing() && written >= 0) {
        uint32_t done = part_random(SDBLOCK_BYTES);
        memcpy(cell(written) + done, before + done, SDBLOCK_BYTES - done);
    }
    state = NOTHING;
    written = -1;
}

void sdblock_stop(void) { state = NOTHING; }

void sdblock_deselect(void) {
    if (state == RECEIVING)
        state = NOTHING;
}

/* ---- to the host ---- */

static void send(uint32_t bytes, uint64_t after) {
    uint16_t crc = sdcrc_data(buffer, bytes);
    buffer[bytes] = crc >> 8;
    buffer[bytes + 1] = crc;
    buffer_at = 0;
    buffer_end = bytes + CHECK;
    due = chip->cycle + after;
    state = WAITING;
    error_token = 0;
}

static void send_block(const struct range *after) {
    if (block < sdblock_count())
        memcpy(buffer, cell(block), SDBLOCK_BYTES);
    send(SDBLOCK_BYTES, drawn(after));
    part_counters.reads++;
    if (block >= sdblock_count())
        error_token = ERROR_OUTSIDE;
    else if ((int64_t)block == part_faults.read_block)
        error_token = ERROR_ECC;
    else if ((int64_t)block == part_faults.flip_block)
        buffer[part_random(SDBLOCK_BYTES)] ^= 1 << part_random(8);
}

void sdblock_read(uint64_t number, bool many) {
    block = number;
    multiple = many;
    send_block(&latency->first);
}

void sdblock_send_register(const uint8_t *bytes) {
    memcpy(buffer, bytes, SDBLOCK_REGISTER_BYTES);
    buffer[SDBLOCK_REGISTER_BYTES - 1] = sdcrc_command(bytes, SDBLOCK_REGISTER_BYTES - 1);
    multiple = false;
    send(SDBLOCK_REGISTER_BYTES, 0);
}

static uint8_t token_when_due(void) {
    if (chip->cycle < due || buffer_at == 0) {
        buffer_at = 1; /* a byte of silence at least */
        return 0xFF;
    }
    buffer_at = 0;
    state = error_token ? NOTHING : SENDING;
    return error_token ? error_token : TOKEN;
}

uint8_t sdblock_sent(void) {
    if (state == WAITING)
        return token_when_due();
    if (state != SENDING)
        return 0xFF;
    uint8_t byte = buffer[buffer_at++];
    if (buffer_at == buffer_end) {
        state = NOTHING;
        block++;
        if (multiple)
            send_block(&latency->gap);
    }
    return byte;
}

/* ---- from the host ---- */

void sdblock_write(uint64_t number, bool many) {
    block = number;
    multiple = many;
    state = AWAITING_TOKEN;
}

static uint8_t store(bool checked) {
    uint16_t crc = buffer[SDBLOCK_BYTES] << 8 | buffer[SDBLOCK_BYTES + 1];
    if (checked && sdcrc_data(buffer, SDBLOCK_BYTES) != crc)
        return REFUSED_CRC;
    if (block >= sdblock_count() || (int64_t)block == part_faults.write_block)
        return REFUSED;
    memcpy(before, cell(block), SDBLOCK_BYTES);
    memcpy(cell(block), buffer, SDBLOCK_BYTES);
    written = block++;
    part_wear(written * SDBLOCK_BYTES);
    part_counters.writes++;
    part_write_for(drawn(&latency->write));
    return ACCEPTED;
}

bool sdblock_receiving(void) { return state == RECEIVING; }

bool sdblock_took(uint8_t in, bool checked, uint8_t *answer) {
    *answer = 0xFF;
    if (state == RECEIVING) {
        buffer[buffer_at++] = in;
        if (buffer_at == SDBLOCK_BYTES + CHECK) {
            state = multiple ? AWAITING_TOKEN : NOTHING;
            *answer = store(checked);
        }
        return true;
    }
    if (state != AWAITING_TOKEN || part_writing())
        return false;
    if (in == (multiple ? TOKEN_MULTIPLE : TOKEN)) {
        buffer_at = 0;
        state = RECEIVING;
        return true;
    }
    if (multiple && in == TOKEN_STOP) {
        state = NOTHING;
        part_write_for(drawn(&latency->write));
        return true;
    }
    return false;
}
