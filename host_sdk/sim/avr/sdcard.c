/* An SD card in SPI mode: initialisation, commands, registers.
 *
 * SD Physical Layer Simplified Specification, chapter 7. The blocks themselves: sdblock.c. Not
 * modelled: erase and lock commands, SD status, write protection, the bus of four bits.
 */
#include "chip.h"
#include "part.h"
#include "sdblock.h"
#include "sdcrc.h"
#include "spi.h"

#include <string.h>

enum { COMMAND_BYTES = 6, ANSWER_BYTES = 8 };
enum {
    WAKE_BYTES = 10,   /* 74 clocks without chip select, in whole bytes */
    SLOW_HZ = 400000,  /* of the bus until the card is initialised */
    SECONDARY = 0x40,  /* HCS of ACMD41, CCS of OCR's first byte */
    POWERED_UP = 0x80, /* in OCR's first byte */
};
enum { IDLE = 0x01, ILLEGAL = 0x04, CRC_ERROR = 0x08, OUTSIDE = 0x40 }; /* R1 */
enum { STUFF = 0x7F }; /* follows CMD12; means nothing, and is no R1 either */

static const struct model {
    const char *name;
    bool by_block; /* addresses are blocks: high capacity */
    bool version1; /* does not know CMD8 */
} MODELS[] = {{"sdhc", true, false}, {"sdsc", false, false}, {"sd1", false, true}};

static const struct model *model;

static avr_cycle_count_t wakes_at, ready_at;
static uint32_t wake_bytes; /* clocked since, without chip select */
static bool spi_mode, initialising, ready, checks, application; /* `application`: CMD55 was last */
static bool version_asked;                                      /* CMD8 came */

static uint8_t command[COMMAND_BYTES];
static uint32_t command_bytes;
static uint8_t answer[ANSWER_BYTES];
static uint32_t answer_at, answer_bytes;

static const char *configure(const char *name, const char *speed) {
    for (size_t at = 0; at < sizeof MODELS / sizeof *MODELS; at++)
        if (!strcmp(MODELS[at].name, name))
            model = &MODELS[at];
    bool known = sdblock_configure(speed);
    return !model   ? "There is no such kind of card."
           : !known ? "There is no such latency of a card."
                    : NULL;
}

static const char *fits(uint64_t size) {
    return size % SDBLOCK_BYTES ? "is not a whole number of blocks of 512 bytes" : NULL;
}

static void power(bool on) {
    sdblock_power(on);
    wakes_at = chip->cycle + part_cycles(sdblock_wake_us());
    wake_bytes = 0;
    spi_mode = initialising = ready = checks = application = version_asked = false;
    command_bytes = answer_at = answer_bytes = 0;
}

/* ---- answers ---- */

static void say(uint8_t byte) { answer[answer_bytes++] = byte; }

/* One byte of silence, then R1. */
static void respond(uint8_t r1) {
    answer_at = answer_bytes = 0;
    say(0xFF);
    say(r1 | (ready ? 0 : IDLE));
}

static void send_csd(void) {
    uint8_t csd[SDBLOCK_REGISTER_BYTES] = {0x40, 0x0E, 0x00, 0x32, 0x5B, 0x59, 0x00, 0,
                                           0,    0,    0x7F, 0x80, 0x0A, 0x40, 0x00};
    uint32_t units = model->by_block ? sdblock_count() >> 10 : sdblock_count() >> 9;
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
    sdblock_send_register(csd);
}

static void send_cid(void) {
    static const uint8_t CID[SDBLOCK_REGISTER_BYTES] = {0x00, 'u', 'L', 'V', 'C', 'A',  'R', 'D',
                                                        0x10, 0,   0,   0,   1,   0x01, 0xA1};
    sdblock_send_register(CID);
}

/* ---- commands ---- */

static uint32_t argument(void) {
    return (uint32_t)command[1] << 24 | command[2] << 16 | command[3] << 8 | command[4];
}

static void move_blocks(void (*move)(uint64_t block, bool many), bool many) {
    uint64_t block = model->by_block ? argument() : argument() / SDBLOCK_BYTES;
    if (block >= sdblock_count() || (!model->by_block && argument() % SDBLOCK_BYTES)) {
        respond(OUTSIDE);
        return;
    }
    respond(0);
    move(block, many);
}

static void start_up(void) {
    if (!initialising)
        ready_at = chip->cycle + part_cycles(sdblock_ready_us());
    initialising = true;
    bool capable = !model->by_block || (version_asked && command[1] & SECONDARY);
    ready = capable && chip->cycle >= ready_at;
    respond(0);
}

static void reset(void) {
    spi_mode = true;
    ready = initialising = checks = version_asked = false;
    sdblock_stop();
    respond(0);
}

static void stop(void) {
    sdblock_stop();
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
    return number == 0 || number == 8 || number == 55 || number == 58 || number == 59;
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
        if (model->version1)
            refuse(ILLEGAL);
        else
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
        respond(argument() == SDBLOCK_BYTES ? 0 : OUTSIDE);
        break;
    case 17:
    case 18:
        move_blocks(sdblock_read, number == 18);
        break;
    case 24:
    case 25:
        move_blocks(sdblock_write, number == 25);
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
    uint8_t said;
    if (command_bytes == 0 && sdblock_took(in, checks, &said)) {
        if (said != 0xFF) {
            answer_at = answer_bytes = 0;
            say(said);
        }
        return;
    }
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
    return part_writing() ? 0x00 : sdblock_sent();
}

static uint8_t exchange(uint8_t in) {
    if (chip->cycle < wakes_at)
        return 0xFF;
    uint8_t out = spoken();
    if (in != 0xFF || command_bytes || sdblock_receiving())
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
    sdblock_deselect();
}

const struct part_kind part_sd_card = {.name = "sd",
                                       .wear_bytes = SDBLOCK_BYTES,
                                       .configure = configure,
                                       .fits = fits,
                                       .power = power,
                                       .select = select,
                                       .exchange = exchange,
                                       .pass_by = pass_by};
