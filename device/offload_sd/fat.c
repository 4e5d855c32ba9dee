/* FAT16 and FAT32, as far as a file in one piece in the root directory needs them. The card is
 * read as a stream: no sector is kept. Microsoft's FAT specification, version 1.03. */
#include "fat.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "medium.h"
#include "spec.h"
#include "stream.h"

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

static void seek(uint32_t block, uint16_t offset) {
    stream_base = block;
    stream_seek(offset);
}

static uint8_t read_volume(uint32_t block, volume_t *volume) {
    parameters_t p;
    char name[8];
    seek(block, NAME_OFFSET);
    stream_read(name, sizeof name);
    stream_read(&p, sizeof p);
    if (!memcmp(name, "EXFAT   ", sizeof name))
        return FAULT_EXFAT;
    uint8_t per = p.blocks_per_cluster;
    if (p.bytes_per_block != BLOCK || !per || per & (per - 1) || !p.reserved_blocks || !p.fats ||
        p.fats > 2)
        return FAULT_NOT_FAT;
    uint32_t fat_blocks = p.fat_blocks_16 ? p.fat_blocks_16 : p.fat_blocks_32;
    uint32_t blocks = p.blocks_16 ? p.blocks_16 : p.blocks_32;
    volume->blocks_per_cluster = per;
    volume->fat = block + p.reserved_blocks;
    volume->root = volume->fat + p.fats * fat_blocks;
    volume->root_entries = p.root_entries;
    volume->data = volume->root + (p.root_entries * 32UL + BLOCK - 1) / BLOCK;
    uint32_t clusters = (blocks - (volume->data - block)) / per;
    volume->wide = clusters >= FAT32_MIN;
    if (volume->wide)
        volume->root = p.root_cluster;
    return clusters < FAT16_MIN || volume->data - block >= blocks ? FAULT_NOT_FAT : 0;
}

static uint32_t read_link(const volume_t *volume) {
    uint32_t link = 0;
    stream_read(&link, volume->wide ? 4 : 2);
    return link & 0x0FFFFFFF;
}

static void seek_link(const volume_t *volume, uint32_t cluster) {
    uint32_t offset = cluster * (volume->wide ? 4 : 2);
    seek(volume->fat + offset / BLOCK, offset % BLOCK);
}

static bool is_last(const volume_t *volume, uint32_t link) {
    return link >= (volume->wide ? LAST_32 : LAST_16);
}

static uint32_t block_of(const volume_t *volume, uint32_t cluster) {
    return volume->data + (cluster - FIRST_CLUSTER) * volume->blocks_per_cluster;
}

/* *.ULB; with a letter only ULM-letter.ULB. */
static bool matches(const entry_t *entry, char letter) {
    if (entry->attributes & HIDDEN_KINDS || memcmp(entry->name + 8, "ULB", 3) || !entry->bytes)
        return false;
    return !letter || (!memcmp(entry->name, "ULM-", 4) && entry->name[4] == letter &&
                       !memcmp(entry->name + 5, "   ", 3));
}

/* Reads the entry of the file that matches behind `skip` others; whether there is one. */
static bool find(const volume_t *volume, char letter, uint8_t skip, entry_t *entry) {
    uint32_t cluster = volume->root;
    uint32_t block = volume->wide ? block_of(volume, cluster) : cluster;
    uint16_t entries =
        volume->wide ? volume->blocks_per_cluster * (BLOCK / 32) : volume->root_entries;
    for (uint16_t clusters = 0xFFFF; clusters; clusters--) { /* a damaged chain may have no end */
        seek(block, 0);
        for (uint16_t left = entries; left; left--) {
            stream_read(entry, sizeof *entry);
            if (!entry->name[0])
                return false;
            if ((uint8_t)entry->name[0] != DELETED && matches(entry, letter) && !skip--)
                return true;
        }
        if (!volume->wide)
            return false;
        seek_link(volume, cluster);
        cluster = read_link(volume);
        if (is_last(volume, cluster) || cluster < FIRST_CLUSTER)
            return false;
        block = block_of(volume, cluster);
    }
    return false;
}

static void add_slot(uint32_t block, uint32_t blocks) {
    slots[slot_count].block = block;
    slots[slot_count++].blocks = blocks;
}

static uint32_t first_cluster(const volume_t *volume, const entry_t *entry) {
    uint32_t high = volume->wide ? entry->cluster_high : 0;
    return high << 16 | entry->cluster_low;
}

/* Makes a file a slot, if its clusters follow each other. */
static void take(const volume_t *volume, const entry_t *entry) {
    uint32_t cluster = first_cluster(volume, entry);
    uint32_t blocks = entry->bytes / BLOCK;
    add_slot(block_of(volume, cluster), blocks);
    seek_link(volume, cluster);
    for (uint32_t left = entry->bytes; left > volume->blocks_per_cluster * (uint32_t)BLOCK;
         left -= volume->blocks_per_cluster * (uint32_t)BLOCK)
        if (read_link(volume) != ++cluster)
            stream_fail(FAULT_FRAGMENTED);
}

/* Reads the mark at the start of a file; 0 in a file that is shorter. */
static uint32_t read_mark(uint32_t block) {
    uint32_t mark;
    seek(block, 0);
    stream_read(&mark, sizeof mark);
    return mark;
}

static void find_slots(const volume_t *volume) {
    entry_t entry;
    for (char letter = 'A'; find(volume, letter, 0, &entry); letter++) {
        take(volume, &entry);
        if (slot_count == SLOTS)
            return;
    }
    slot_count = 0;
    uint8_t others = 0;
    for (; find(volume, 0, others, &entry); others++)
        if (read_mark(block_of(volume, first_cluster(volume, &entry))) == STREAM_MAGIC) {
            take(volume, &entry);
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
    volume_t volume;
    slot_count = 0;
    if (read_mark(0) == STREAM_MAGIC) {
        add_slot(0, WHOLE_CARD);
        return;
    }
    uint8_t fault = read_volume(0, &volume);
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
            fault = read_volume(partition.block, &volume);
    }
    if (fault)
        stream_fail(fault);
    find_slots(&volume);
}
