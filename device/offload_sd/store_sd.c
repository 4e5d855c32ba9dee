/* Uploads into the spare one of two files on the card, which keep their length: the FAT is never
 * written. The last block of a file is the upload's record. */
#include "store.h"

#include <stddef.h>
#include <string.h>

#include "arena.h"
#include "sd.h"
#include "spec.h"
#include "stream.h"

#define RECORD_EVERY 65536UL
#define RECORD_MAGIC 0x55504C55UL

typedef struct {
    uint32_t magic;
    upload_id_t id;
    uint32_t stored; /* so much is there for sure, and perhaps more */
} record_t;

static record_t *const record = (void *)ARENA_WORK;

uint32_t store_capacity(const slot_t *slot) {
    return slot->blocks ? (slot->blocks - 1) * BLOCK : 0;
}

static void write_record(const slot_t *slot) {
    memset(ARENA_BLOCK, 0, BLOCK);
    memcpy(ARENA_BLOCK, record, sizeof *record);
    sd_write(slot->block + slot->blocks - 1, ARENA_BLOCK);
}

static void read_record(const slot_t *slot) {
    stream_base = slot->block + slot->blocks - 1;
    stream_seek(0);
    stream_read(record, sizeof *record);
}

uint32_t store_resume(const slot_t *slot, const upload_id_t *id) {
    uint32_t mark;
    stream_base = slot->block;
    stream_seek(0);
    stream_read(&mark, sizeof mark);
    read_record(slot);
    bool same = record->magic == RECORD_MAGIC && record->id.length == id->length &&
                record->id.crc == id->crc;
    return mark == STREAM_MAGIC || !same ? 0 : record->stored;
}

void store_clear(const slot_t *slot, const upload_id_t *id) {
    memset(record, 0, sizeof *record);
    write_record(slot); /* or a cut here would find the record of an earlier upload */
    if (!id->length)
        return;
    memset(ARENA_BLOCK, 0, BLOCK);
    sd_write(slot->block, ARENA_BLOCK);
    record->magic = RECORD_MAGIC;
    record->id = *id;
    write_record(slot);
}

void store_write(const slot_t *slot, uint32_t position, const uint8_t *bytes, uint8_t count) {
    for (; count--; position++) {
        uint16_t at = position % BLOCK;
        ARENA_BLOCK[at] = *bytes++;
        if (at < BLOCK - 1)
            continue;
        sd_write(slot->block + position / BLOCK, ARENA_BLOCK);
        if ((position + 1) % RECORD_EVERY == 0) {
            read_record(slot);
            record->stored = position + 1;
            write_record(slot);
        }
    }
}

void store_commit(const slot_t *slot, uint32_t sequence) {
    stream_base = slot->block;
    stream_seek(0);
    for (uint16_t at = 0; at < BLOCK; at++)
        ARENA_BLOCK[at] = stream_next();
    const uint32_t head[] = {STREAM_MAGIC, sequence};
    memcpy(ARENA_BLOCK, head, sizeof head);
    sd_write(slot->block, ARENA_BLOCK);
}
