/* FAT16 and FAT32, as far as a file in one piece in the root directory needs them. The card is
 * read as a stream: no sector is kept. Microsoft's FAT specification, version 1.03. */
#include "fat.h"

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "medium.h"
#include "spec.h"
#include "stream.h"
#include "tape.h"

#define BLOCK 512
#define WHOLE_CARD 0x00FFFFFF /* blocks; 8 GB, more than an image can have */

#define NAME_OFFSET 3 /* of the kind of volume, in its first block */
#define PARTITIONS_OFFSET 446
#define SIGNATURE_OFFSET 510
#define SIGNATURE 0xAA55
#define PARTITIONS 4

#define FAT16_MIN 4085 /* clusters; less is FAT12 */
#define FAT32_MIN 65525
#define FIRST_CLUSTER 2
#define LAST_16 0xFFF8
#define LAST_32 0x0FFFFFF8

#define ROOT_MAX 512 /* blocks of the root directory that are looked at: 8,192 entries */

#define HIDDEN_KINDS 0x18 /* attributes of folders, labels and long names */
#define DELETED 0xE5

/* From byte 11 of a volume's first block on. */
typedef struct __attribute__((packed)) {
    uint16_t bytes_per_block;
    uint8_t blocks_per_cluster;
    uint16_t reserved_blocks;
    uint8_t fats;
    uint16_t root_entries;
    uint16_t blocks_16;
    uint8_t media;
    uint16_t fat_blocks_16;
    uint8_t unused[8];
    uint32_t blocks_32;
    uint32_t fat_blocks_32;
    uint16_t flags, version;
    uint32_t root_cluster;
} parameters_t;

typedef struct __attribute__((packed)) {
    char name[11];
    uint8_t attributes;
    uint8_t unused[8];
    uint16_t cluster_high;
    uint8_t unused_too[4];
    uint16_t cluster_low;
    uint32_t bytes;
} entry_t;

typedef struct {
    uint32_t fat;  /* first blocks */
    uint32_t data; /* of FIRST_CLUSTER */
    uint32_t root; /* its block, or in FAT32 its cluster */
    uint16_t root_entries;
    uint8_t blocks_per_cluster;
    bool wide; /* FAT32 */
} volume_t;

/* What would take too much of the stack. */
static struct work {
    volume_t volume;
    union {
        parameters_t parameters;
        entry_t entry;
    };
} *const work = (void *)ARENA_WORK;

static bool is(const char *bytes, const char *text, uint8_t count) {
    while (count--)
        if (*bytes++ != (char)tape_text(text++))
            return false;
    return true;
}

static void seek(uint32_t block, uint16_t offset) {
    stream_base = block;
    stream_seek(offset);
}

static uint8_t read_volume(uint32_t block) {
    volume_t *volume = &work->volume;
    parameters_t *p = &work->parameters;
    char name[8];
    seek(block, NAME_OFFSET);
    stream_read(name, sizeof name);
    stream_read(p, sizeof *p);
    static const char exfat[] TAPE_TEXT = "EXFAT   ";
    if (is(name, exfat, sizeof name))
        return FAULT_EXFAT;
    uint8_t per = p->blocks_per_cluster;
    if (p->bytes_per_block != BLOCK || !per || per & (per - 1) || !p->reserved_blocks || !p->fats ||
        p->fats > 2)
        return FAULT_NOT_FAT;
    uint32_t fat_blocks = p->fat_blocks_16 ? p->fat_blocks_16 : p->fat_blocks_32;
    uint32_t blocks = p->blocks_16 ? p->blocks_16 : p->blocks_32;
    uint32_t before = p->reserved_blocks + p->fats * fat_blocks;
    volume->blocks_per_cluster = per;
    volume->fat = block + p->reserved_blocks;
    volume->root = block + before;
    volume->root_entries = p->root_entries;
    before += (p->root_entries * 32UL + BLOCK - 1) / BLOCK;
    volume->data = block + before;
    if (before >= blocks)
        return FAULT_NOT_FAT;
    uint32_t clusters = (blocks - before) / per;
    volume->wide = clusters >= FAT32_MIN;
    if (volume->wide)
        volume->root = p->root_cluster;
    return clusters < FAT16_MIN ? FAULT_NOT_FAT : 0;
}

static uint32_t read_link(void) {
    uint32_t link = 0;
    stream_read(&link, work->volume.wide ? 4 : 2);
    return link & 0x0FFFFFFF;
}

static void seek_link(uint32_t cluster) {
    uint32_t offset = cluster * (work->volume.wide ? 4 : 2);
    seek(work->volume.fat + offset / BLOCK, offset % BLOCK);
}

static bool is_last(uint32_t link) { return link >= (work->volume.wide ? LAST_32 : LAST_16); }

static uint32_t block_of(uint32_t cluster) {
    return work->volume.data + (cluster - FIRST_CLUSTER) * work->volume.blocks_per_cluster;
}

/* *.ULB; with a letter only ULM-letter.ULB. */
static bool matches(char letter) {
    const entry_t *entry = &work->entry;
    static const char image_file[] TAPE_TEXT = "ULB", slot_file[] TAPE_TEXT = "ULM-",
                                   blanks[] TAPE_TEXT = "   ";
    if (entry->attributes & HIDDEN_KINDS || !entry->bytes || !is(entry->name + 8, image_file, 3))
        return false;
    return !letter || (is(entry->name, slot_file, 4) && entry->name[4] == letter &&
                       is(entry->name + 5, blanks, 3));
}

/* Reads the entry of the file that matches behind `skip` others; whether there is one. */
static bool find(char letter, uint8_t skip) {
    const volume_t *volume = &work->volume;
    entry_t *entry = &work->entry;
    uint32_t cluster = volume->root;
    uint32_t block = volume->wide ? block_of(cluster) : cluster;
    uint16_t entries =
        volume->wide ? volume->blocks_per_cluster * (BLOCK / 32) : volume->root_entries;
    for (uint16_t left_blocks = ROOT_MAX;;) { /* a damaged chain may have no end */
        seek(block, 0);
        for (uint16_t left = entries; left; left--) {
            stream_read(entry, sizeof *entry);
            if (!entry->name[0])
                return false;
            if ((uint8_t)entry->name[0] != DELETED && matches(letter) && !skip--)
                return true;
        }
        if (!volume->wide || left_blocks <= volume->blocks_per_cluster)
            return false;
        left_blocks -= volume->blocks_per_cluster;
        seek_link(cluster);
        cluster = read_link();
        if (is_last(cluster) || cluster < FIRST_CLUSTER)
            return false;
        block = block_of(cluster);
    }
}

static void add_slot(uint32_t block, uint32_t blocks) {
    slots[slot_count].block = block;
    slots[slot_count++].blocks = blocks;
}

static uint32_t first_cluster(void) {
    uint32_t high = work->volume.wide ? work->entry.cluster_high : 0;
    return high << 16 | work->entry.cluster_low;
}

/* Makes a file a slot, if its clusters follow each other. */
static void take(void) {
    uint32_t cluster = first_cluster();
    uint32_t cluster_bytes = work->volume.blocks_per_cluster * (uint32_t)BLOCK;
    add_slot(block_of(cluster), work->entry.bytes / BLOCK);
    seek_link(cluster);
    for (uint32_t left = work->entry.bytes; left > cluster_bytes; left -= cluster_bytes)
        if (read_link() != ++cluster)
            stream_fail(FAULT_FRAGMENTED);
}

/* Reads the mark at the start of a file; 0 in a file that is shorter. */
static uint32_t read_mark(uint32_t block) {
    uint32_t mark;
    seek(block, 0);
    stream_read(&mark, sizeof mark);
    return mark;
}

static void find_slots(void) {
    for (char letter = 'A'; find(letter, 0); letter++) {
        take();
        if (slot_count == SLOTS)
            return;
    }
    slot_count = 0;
    uint8_t others = 0;
    for (; find(0, others); others++)
        if (read_mark(block_of(first_cluster())) == STREAM_MAGIC) {
            take();
            return;
        }
    if (others)
        longjmp(stream_exit, STATUS_BAD_ABI);
    stream_fail(FAULT_NO_FILE);
}

static bool is_fat(uint8_t type) {
    return type == 0x04 || type == 0x06 || type == 0x0B || type == 0x0C || type == 0x0E;
}

void fat_mount(void) {
    slot_count = 0;
    if (read_mark(0) == STREAM_MAGIC) {
        add_slot(0, WHOLE_CARD);
        return;
    }
    uint8_t fault = read_volume(0);
    for (uint8_t at = 0; fault == FAULT_NOT_FAT && at < PARTITIONS; at++) {
        struct __attribute__((packed)) {
            uint8_t unused[4];
            uint8_t type;
            uint8_t unused_too[3];
            uint32_t block;
        } partition;
        seek(0, PARTITIONS_OFFSET + 16 * at);
        stream_read(&partition, sizeof partition);
        if (is_fat(partition.type) || partition.type == 0x07) /* exFAT or another */
            fault = read_volume(partition.block);
    }
    if (fault)
        stream_fail(fault);
    find_slots();
}
