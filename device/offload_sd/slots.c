/* Which image answers: the newest sound one. */
#include <avr/io.h>
#include <stddef.h>

#include "crc.h"
#include "image.h"
#include "medium.h"
#include "stream.h"

#define CHECK_FROM offsetof(image_t, abi)
#define MARKER_CHECK 0xC1
#define CHECK_TRIES 2 /* a bit may have fallen over on the way */

_Static_assert(sizeof(image_t) <= STREAM_HEADER_BYTES, "header");

slot_t slots[SLOTS];
uint8_t slot_count;
uint8_t slot_current;
uint32_t slot_sequence;
uint16_t medium_id;

static uint16_t checked;    /* key of the image that has proved sound; 0: none */
static uint16_t bad[SLOTS]; /* keys of images that have proved damaged */

/* Tells the headers apart that were seen since reset; never 0. */
static uint16_t key(void) {
    uint16_t crc = medium_id;
    for (uint8_t at = 0; at < sizeof image; at++)
        crc = crc_update(crc, ((const uint8_t *)&image)[at]);
    return crc | 1;
}

bool slot_read(uint8_t slot) {
    stream_base = slots[slot].block;
    stream_seek(0);
    stream_read(&image, sizeof image);
    return image.magic == STREAM_MAGIC;
}

static bool complete(uint8_t slot) {
    return image.length >= sizeof image && image.length % 512 == 0 &&
           image.length / 512 <= slots[slot].blocks && bad[slot] != key() &&
           (image.abi != STREAM_ABI || image_sound());
}

void slots_mount(void) {
    static bool mounted;
    stream_layer = 0;
    if (medium_wake())
        mounted = false;
    if (!mounted)
        medium_mount();
    mounted = true;
}

uint8_t slots_scan(void) {
    slots_mount();
    uint8_t status = STATUS_NO_MODEL;
    slot_current = NO_SLOT;
    slot_sequence = 0;
    for (uint8_t slot = 0; slot < slot_count; slot++)
        if (slot_read(slot)) {
            if (!complete(slot)) {
                if (slot_current == NO_SLOT)
                    status = STATUS_BAD_MODEL;
            } else if (slot_current == NO_SLOT || image.sequence > slot_sequence) {
                slot_current = slot;
                slot_sequence = image.sequence;
                status = STATUS_OK;
            }
        }
    return status;
}

static STREAM_ACTION void find(void) {
    uint8_t status = slots_scan();
    if (status == STATUS_OK) {
        slot_read(slot_current);
        if (image.abi != STREAM_ABI || image.form > STREAM_ROWS)
            status = STATUS_BAD_ABI;
    }
    if (status != STATUS_OK)
        longjmp(stream_exit, status);
}

uint8_t medium_open(void) { return stream_try(find); }

uint16_t slot_crc(uint32_t length) {
    stream_seek(CHECK_FROM);
    GPIOR0 = MARKER_CHECK; /* for whoever measures the stream */
    uint16_t crc = CRC_START;
    for (uint32_t left = length - CHECK_FROM; left;) {
        if (!stream_left)
            stream_block();
        uint16_t part = stream_left < left ? stream_left : (uint16_t)left;
        crc = stream_crc(crc, part);
        left -= part;
    }
    GPIOR0 = 0;
    return ~crc;
}

void medium_check(void) {
    uint16_t now = key();
    if (now == checked)
        return;
    stream_layer = 0;
    for (uint8_t tries = CHECK_TRIES; slot_crc(image.length) != image.check;)
        if (!--tries) {
            bad[slot_current] = now;
            longjmp(stream_exit, STATUS_BAD_MODEL);
        }
    checked = now;
}
