/* Uploads into half a flash chip. The last sector of 4 KB of each half is the upload's record: what
 * it is, whether the place for it has been erased, and a byte for every 4 KB that is complete. */
#include "store.h"

#include <stddef.h>

#include "spec.h"
#include "stream.h"
#include "w25q.h"

#define SECTOR 4096UL
#define LARGE_SECTOR 65536UL
#define DONE 0x00

typedef struct {
    upload_id_t id;
    uint8_t erased; /* DONE or FFh */
} record_t;

#define MARKS 256 /* offset in the record's sector */

static uint32_t start_of(const slot_t *slot) { return slot->block * 512; }

uint32_t store_capacity(const slot_t *slot) { return slot->blocks * 512 - SECTOR; }

static uint32_t record_of(const slot_t *slot) { return start_of(slot) + store_capacity(slot); }

static void read(uint32_t address, void *bytes, uint8_t count) {
    stream_base = 0;
    stream_seek(address);
    stream_read(bytes, count);
    stream_end();
}

/* What is programmed reads back, or the chip is worn or protected. */
static void program(uint32_t address, const uint8_t *bytes, uint8_t count) {
    w25q_program(address, bytes, count);
    stream_base = 0;
    stream_seek(address);
    while (count--)
        if (stream_next() != *bytes++)
            stream_fail(FAULT_PROTECTED);
    stream_end();
}

static void program_done(uint32_t address) {
    const uint8_t done = DONE;
    program(address, &done, 1);
}

uint32_t store_resume(const slot_t *slot, const upload_id_t *id) {
    record_t record;
    uint32_t mark, at = record_of(slot);
    read(start_of(slot), &mark, sizeof mark);
    read(at, &record, sizeof record);
    if (mark == STREAM_MAGIC || record.id.length != id->length || record.id.crc != id->crc ||
        record.erased != DONE)
        return 0;
    uint32_t stored = 0;
    stream_seek(at + MARKS);
    while (stored + SECTOR < id->length && stream_next() == DONE)
        stored += SECTOR;
    stream_end();
    /* What came behind the last mark may have been cut short in the middle of a page. */
    w25q_erase(start_of(slot) + stored, false);
    return stored;
}

void store_clear(const slot_t *slot, const upload_id_t *id) {
    uint32_t start = start_of(slot), record = record_of(slot);
    const uint32_t zeros = 0;
    w25q_erase(record, false); /* or a cut here would find the record of an earlier upload */
    if (!id->length)
        return;
    w25q_program(start, (const uint8_t *)&zeros, sizeof zeros); /* half erased it is no image */
    program(record, (const uint8_t *)id, sizeof *id);
    for (stream_written = 0; stream_written < id->length;) {
        uint32_t left = id->length - stream_written;
        bool large = left > 2 * SECTOR && stream_written + LARGE_SECTOR <= store_capacity(slot);
        w25q_erase(start + stream_written, large);
        stream_written += large ? LARGE_SECTOR : SECTOR;
    }
    program_done(record + offsetof(record_t, erased));
}

void store_write(const slot_t *slot, uint32_t position, const uint8_t *bytes, uint8_t count) {
    program(start_of(slot) + position, bytes, count);
    uint16_t sector = (uint16_t)(position / SECTOR);
    uint16_t next = (uint16_t)((position + count) / SECTOR);
    if (next != sector)
        program_done(record_of(slot) + MARKS + sector);
}

void store_commit(const slot_t *slot, uint32_t sequence) {
    const uint32_t mark = STREAM_MAGIC;
    program(start_of(slot) + sizeof mark, (const uint8_t *)&sequence, sizeof sequence);
    program(start_of(slot), (const uint8_t *)&mark, sizeof mark);
}
