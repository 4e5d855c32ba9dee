/* An SD card in SPI mode: initialisation, single and multiple block reads and writes.
 *
 * Commands and tokens: SD Physical Layer Simplified Specification, chapter 7; times: see
 * docs/virtual-boards.md. What is written is in the file at once; supply lost while the card is
 * busy leaves a block that is new at its beginning and old at its end. Not modelled: erase and lock
 * commands, SD status, write protection, the bus of four bits.
 */
#include "chip.h"
#include "part.h"
#include "sdcrc.h"
#include "spi.h"

#include <string.h>

enum { BLOCK = 512, CHECK = 2, COMMAND_BYTES = 6, ANSWER_BYTES = 8, REGISTER_BYTES = 16 };
enum {
    WAKE_US = 1000,    /* from supply to the first clock that counts */
    WAKE_BYTES = 10,   /* 74 clocks without chip select, in whole bytes */
    SLOW_HZ = 400000,  /* of the bus until the card is initialised */
    SECONDARY = 0x40,  /* HCS of ACMD41, CCS of OCR's first byte */
    POWERED_UP = 0x80, /* in OCR's first byte */
};
enum { IDLE = 0x01, ILLEGAL = 0x04, CRC_ERROR = 0x08, OUTSIDE = 0x40 }; /* R1 */
enum { TOKEN = 0xFE, TOKEN_MULTIPLE = 0xFC, TOKEN_STOP = 0xFD };        /* of data */
enum { ERROR_ECC = 0x04, ERROR_OUTSIDE = 0x08 };                        /* of reading */
enum { ACCEPTED = 0xE5, REFUSED_CRC = 0xEB, REFUSED = 0xED };           /* of writing */
enum { STUFF = 0x7F }; /* follows CMD12; means nothing, and is no R1 either */

static const struct model {
    const char *name;
    bool by_block; /* addresses are blocks: high capacity */
    bool version1; /* does not know CMD8 */
} MODELS[] = {{"sdhc", true, false}, {"sdsc", false, false}, {"sd1", false, true}};

/* Microseconds; a time is drawn between its two limits, now and then it is the last one. */
struct range {
    uint32_t low, high;
    uint32_t hiccup, hiccup_high, one_in;
};

static const struct latency {
    const char *name;
    uint32_t ready_us; /* of initialisation */
    struct range first, gap, write;
} LATENCIES[] = {
    {"ideal", 0, {0}, {0}, {0}},
    {"typical", 20000, {330, 330, 0, 0, 0}, {120, 120, 0, 0, 0}, {1000, 1000, 0, 0, 0}},
    {"cheap",
     300000,
     {330, 600, 20000, 20000, 100},
     {120, 500, 20000, 20000, 200},
     {1000, 5000, 20000, 250000, 30}},
};

static const struct model *model;
static const struct latency *latency;

/* ---- state of the card ---- */

static avr_cycle_count_t wakes_at, ready_at, data_at;
static uint32_t wake_bytes; /* clocked since, without chip select */
static bool spi_mode, initialising, ready, checks, application; /* `application`: CMD55 was last */
static bool version_asked;                                      /* CMD8 came */

static uint8_t command[COMMAND_BYTES];
static uint32_t command_bytes;
static uint8_t answer[ANSWER_BYTES];
static uint32_t answer_at, answer_bytes;

static enum { NOTHING, WAITING, SENDING, AWAITING_TOKEN, RECEIVING } data;
static bool multiple;
static uint64_t block;                 /* number of the one that moves */
static uint8_t buffer[BLOCK + CHECK];  /* it, or a register */
static uint32_t buffer_at, buffer_end; /* end: its length with the check */
static uint8_t error_token;            /* instead of the data; 0 for none */
static uint8_t before[BLOCK];          /* the block last written, as it was */
static int64_t written;                /* its number, -1 for none */

static uint64_t blocks(void) { return part_memory.size / BLOCK; }

static uint64_t drawn(const struct range *range) {
    uint32_t us = range->low + part_random(range->high - range->low + 1);
    if (range->one_in && part_random(range->one_in) == 0)
        us = range->hiccup + part_random(range->hiccup_high - range->hiccup + 1);
    return part_cycles(us);
}

static const char *configure(const char *name, const char *speed) {
    for (size_t at = 0; at < sizeof MODELS / sizeof *MODELS; at++)
        if (!strcmp(MODELS[at].name, name))
            model = &MODELS[at];
    for (size_t at = 0; at < sizeof LATENCIES / sizeof *LATENCIES; at++)
        if (!strcmp(LATENCIES[at].name, speed))
            latency = &LATENCIES[at];
    return !model     ? "There is no such kind of card."
           : !latency ? "There is no such latency of a card."
                      : NULL;
}

static const char *fits(uint64_t size) {
    return size % BLOCK ? "is not a whole number of blocks of 512 bytes" : NULL;
}

static void power(bool on) {
    if (!on && part_writing() && written >= 0) {
        uint32_t whole = part_random(BLOCK);
        memcpy(part_memory.bytes + written * BLOCK + whole, before + whole, BLOCK - whole);
    }
    wakes_at = chip->cycle + (latency->ready_us ? part_cycles(WAKE_US) : 0);
    wake_bytes = 0;
    spi_mode = initialising = ready = checks = application = version_asked = false;
    command_bytes = answer_at = answer_bytes = 0;
    data = NOTHING;
    written = -1;
}

/* ---- answers ---- */

static void say(uint8_t byte) { answer[answer_bytes++] = byte; }

/* One byte of silence, then R1. */
static void respond(uint8_t r1) {
    answer_at = answer_bytes = 0;
    say(0xFF);
    say(r1 | (ready ? 0 : IDLE));
}

/* ---- reading ---- */

static void send(uint32_t bytes, uint64_t after) {
    uint16_t crc = sdcrc_data(buffer, bytes);
    buffer[bytes] = crc >> 8;
    buffer[bytes + 1] = crc;
    buffer_at = 0;
    buffer_end = bytes + CHECK;
    data_at = chip->cycle + after;
    data = WAITING;
    error_token = 0;
}

static void send_block(const struct range *after) {
    if (block < blocks())
        memcpy(buffer, part_memory.bytes + block * BLOCK, BLOCK);
    send(BLOCK, drawn(after));
    part_counters.reads++;
    if (block >= blocks())
        error_token = ERROR_OUTSIDE;
    else if ((int64_t)block == part_faults.read_block)
        error_token = ERROR_ECC;
    else if ((int64_t)block == part_faults.flip_block)
        buffer[part_random(BLOCK)] ^= 1 << part_random(8);
}

static void send_register(const uint8_t *bytes) {
    memcpy(buffer, bytes, REGISTER_BYTES);
    buffer[REGISTER_BYTES - 1] = sdcrc_command(bytes, REGISTER_BYTES - 1);
    multiple = false;
    send(REGISTER_BYTES, 0);
}

/* The byte of the data that goes out now. */
static uint8_t sent(void) {
    if (data == WAITING) {
        if (chip->cycle < data_at || buffer_at == 0) {
            buffer_at = 1; /* a byte of silence at least */
            return 0xFF;
        }
        buffer_at = 0;
        data = error_token ? NOTHING : SENDING;
        return error_token ? error_token : TOKEN;
    }
    uint8_t byte = buffer[buffer_at++];
    if (buffer_at == buffer_end) {
        data = NOTHING;
        block++;
        if (multiple)
            send_block(&latency->gap);
    }
    return byte;
}

static void send_csd(void) {
    uint8_t csd[REGISTER_BYTES] = {0x40, 0x0E, 0x00, 0x32, 0x5B, 0x59, 0x00, 0,
                                   0,    0,    0x7F, 0x80, 0x0A, 0x40, 0x00};
    uint32_t units = model->by_block ? blocks() >> 10 : blocks() >> 9;
    units -= units > 0;
    if (model->by_block) {
        csd[7] = units >> 16 & 0x3F;
        csd[8] = units >> 8;
        csd[9] = units;
    } else { /* version 1: units of 2^9 blocks of 2^9 bytes */
        csd[0] = 0;
        csd[6] = units >> 10 & 3;
        csd[7] = units >> 2;
        csd[8] = (units & 3) << 6;
        csd[9] = 0x03;
        csd[10] |= 0x80;
    }
    send_register(csd);
}

static void send_cid(void) {
    static const uint8_t CID[REGISTER_BYTES] = {0x00, 'u', 'L', 'V', 'C', 'A',  'R', 'D',
                                                0x10, 0,   0,   0,   1,   0x01, 0xA1};
    send_register(CID);
}

/* ---- writing ---- */

static uint8_t stored(void) {
    if (checks && sdcrc_data(buffer, BLOCK) != (buffer[BLOCK] << 8 | buffer[BLOCK + 1]))
        return REFUSED_CRC;
    if (block >= blocks() || (int64_t)block == part_faults.write_block)
        return REFUSED;
    uint8_t *cell = part_memory.bytes + block * BLOCK;
    memcpy(before, cell, BLOCK);
    memcpy(cell, buffer, BLOCK);
    written = block++;
    part_wear(written * BLOCK);
    part_counters.writes++;
    part_write_for(drawn(&latency->write));
    return ACCEPTED;
}

static void receive(uint8_t in) {
    buffer[buffer_at++] = in;
    if (buffer_at < BLOCK + CHECK)
        return;
    answer_at = answer_bytes = 0;
    say(stored());
    data = multiple ? AWAITING_TOKEN : NOTHING;
}

/* Whether the byte was a token of data, or the end of them. */
static bool is_token(uint8_t in) {
    if (in == (multiple ? TOKEN_MULTIPLE : TOKEN)) {
        buffer_at = 0;
        data = RECEIVING;
        return true;
    }
    if (multiple && in == TOKEN_STOP) {
        data = NOTHING;
        answer_at = answer_bytes = 0;
        say(0xFF);
        part_write_for(drawn(&latency->write));
        return true;
    }
    return false;
}

/* ---- commands ---- */

static uint32_t argument(void) {
    return (uint32_t)command[1] << 24 | command[2] << 16 | command[3] << 8 | command[4];
}

static void move_blocks(bool reading, bool many) {
    block = model->by_block ? argument() : argument() / BLOCK;
    multiple = many;
    if (block >= blocks() || (!model->by_block && argument() % BLOCK)) {
        respond(OUTSIDE);
        return;
    }
    respond(0);
    if (reading)
        send_block(&latency->first);
    else
        data = AWAITING_TOKEN;
}

static void start_up(void) {
    if (!initialising)
        ready_at = chip->cycle + part_cycles(latency->ready_us);
    initialising = true;
    bool capable = !model->by_block || (version_asked && command[1] & SECONDARY);
    ready = capable && chip->cycle >= ready_at;
    respond(0);
}

static void reset(void) {
    spi_mode = true;
    ready = initialising = checks = version_asked = false;
    data = NOTHING;
    respond(0);
}

static void stop(void) {
    data = NOTHING;
    respond(0);
    answer[0] = STUFF;
    say(answer[1]);
    answer[1] = 0xFF;
}

static void say_ocr(void) {
    respond(0);
    say((ready ? POWERED_UP : 0) | (ready && model->by_block ? SECONDARY : 0));
    say(0xFF);
    say(0x80);
    say(0x00);
}

static void say_version(void) {
    version_asked = true;
    respond(0);
    say(0x00);
    say(0x00);
    say(command[3] & 0x0F);
    say(command[4]);
}

static bool in_idle(uint8_t number, bool of_application) {
    if (of_application)
        return number == 41;
    return number == 0 || (number == 8 && !model->version1) || number == 55 || number == 58 ||
           number == 59;
}

static void refuse(uint8_t why) {
    part_counters.ignored++;
    respond(why);
}

static void obey(uint8_t number, bool of_application) {
    if (!ready && !in_idle(number, of_application)) {
        refuse(ILLEGAL);
        return;
    }
    if (of_application && (number == 41 || number == 23)) {
        if (number == 41)
            start_up();
        else
            respond(0);
        return;
    }
    switch (number) {
    case 0:
        reset();
        break;
    case 8:
        say_version();
        break;
    case 9:
        respond(0);
        send_csd();
        break;
    case 10:
        respond(0);
        send_cid();
        break;
    case 12:
        stop();
        break;
    case 13:
        respond(0);
        say(0);
        break;
    case 16:
        respond(argument() == BLOCK ? 0 : OUTSIDE);
        break;
    case 17:
    case 18:
        move_blocks(true, number == 18);
        break;
    case 24:
    case 25:
        move_blocks(false, number == 25);
        break;
    case 55:
        application = true;
        respond(0);
        break;
    case 58:
        say_ocr();
        break;
    case 59:
        checks = argument() & 1;
        respond(0);
        break;
    default:
        refuse(ILLEGAL);
    }
}

static void execute(void) {
    uint8_t number = command[0] & 0x3F;
    bool sound = sdcrc_command(command, COMMAND_BYTES - 1) == command[COMMAND_BYTES - 1];
    bool of_application = application;
    application = false;
    if (!ready && spi_clock_hz() > SLOW_HZ) { /* it hears nothing that fast */
        part_counters.ignored++;
    } else if (!spi_mode && (number != 0 || !sound || wake_bytes < WAKE_BYTES)) {
        part_counters.ignored++;
    } else if (part_writing() && number != 0 && number != 13) {
        part_counters.ignored++;
    } else if ((checks || number == 0 || number == 8) && !sound) {
        refuse(CRC_ERROR);
    } else {
        obey(number, of_application);
    }
}

static void listen(uint8_t in) {
    if (data == RECEIVING) {
        receive(in);
        return;
    }
    if (data == AWAITING_TOKEN && command_bytes == 0 && !part_writing() && is_token(in))
        return;
    if (command_bytes == 0 && (in & 0xC0) != 0x40)
        return;
    command[command_bytes++] = in;
    if (command_bytes == COMMAND_BYTES) {
        command_bytes = 0;
        execute();
    }
}

static uint8_t spoken(void) {
    if (answer_at < answer_bytes)
        return answer[answer_at++];
    if (part_writing())
        return 0x00;
    return data == WAITING || data == SENDING ? sent() : 0xFF;
}

static uint8_t exchange(uint8_t in) {
    if (chip->cycle < wakes_at)
        return 0xFF;
    uint8_t out = spoken();
    if (in != 0xFF || command_bytes || data == RECEIVING)
        listen(in);
    return out;
}

static uint8_t pass_by(uint8_t in) {
    (void)in;
    wake_bytes += chip->cycle >= wakes_at && wake_bytes < WAKE_BYTES;
    return 0xFF;
}

/* Deselected in the middle of anything, the card forgets what it was saying or hearing. */
static void select(bool selected, bool whole) {
    (void)whole;
    if (selected)
        return;
    command_bytes = answer_at = answer_bytes = 0;
}

const struct part_kind part_sd_card = {.name = "sd",
                                       .wear_bytes = BLOCK,
                                       .configure = configure,
                                       .fits = fits,
                                       .power = power,
                                       .select = select,
                                       .exchange = exchange,
                                       .pass_by = pass_by};
