/* Uploads into the spare slot (docs/protocol.md). The first eight bytes of an image, its mark and
 * sequence, are written last, when the image has proved sound: until then the old one answers. */
#include "upload.h"

#include <stddef.h>

#include "frame.h"
#include "image.h"
#include "store.h"
#include "stream.h"

#define MARK_BYTES offsetof(image_t, length)
#define ERASED 0xFF

uint16_t upload_value;

static upload_id_t id; /* length 0: there is no upload */
static uint32_t stored;
static uint16_t medium; /* that it goes to */
static uint8_t spare;
static bool committed;

static const struct __attribute__((packed)) {
    uint8_t slot;
    upload_id_t id;
} *const begin_request = (const void *)frame_in.payload;

static const struct __attribute__((packed)) {
    uint32_t position;
    uint8_t bytes[];
} *const data_request = (const void *)frame_in.payload;

uint32_t upload_capacity(void) { return slot_count == SLOTS ? store_capacity(&slots[spare]) : 0; }

void upload_pause(void) { stored -= stored % 512; }

static bool same(const upload_id_t *other) {
    return id.length == other->length && id.crc == other->crc;
}

static STREAM_ACTION void begin(void) {
    slots_scan();
    if (slot_count != SLOTS) {
        upload_value = 1;
        longjmp(stream_exit, STATUS_UNSUPPORTED);
    }
    const upload_id_t *wanted = &begin_request->id;
    if (id.length && medium == medium_id && !committed && same(wanted)) {
        upload_pause(); /* what is told is in whole blocks */
        return;
    }
    committed = false;
    id.length = 0;
    spare = slot_current == 0;
    if (wanted->length > upload_capacity())
        longjmp(stream_exit, STATUS_TOO_LARGE);
    stored = wanted->length ? store_resume(&slots[spare], wanted) : 0;
    stream_written = 0;
    stream_to_write = wanted->length;
    if (!stored)
        store_clear(&slots[spare], wanted);
    id = *wanted;
    medium = medium_id;
}

uint8_t upload_begin(const uint8_t *payload, uint8_t count) {
    (void)payload; /* of frame_in */
    upload_value = 0;
    if (count < sizeof *begin_request || begin_request->id.length % 512)
        return STATUS_BAD_LENGTH;
    if (begin_request->slot != SLOT_MAIN)
        return STATUS_UNSUPPORTED;
    uint8_t status = stream_try(begin);
    if (status == STATUS_OK)
        upload_value = (uint16_t)(stored / 512);
    return status;
}

/* A card may have been away meanwhile, and its files may have moved. */
static void wake_same(void) {
    uint32_t block = slots[spare].block;
    slots_mount();
    if (medium_id != medium || slot_count != SLOTS || slots[spare].block != block) {
        id.length = 0;
        stream_fail(FAULT_WRITE);
    }
}

static STREAM_ACTION void write_data(void) {
    wake_same();
    uint8_t skip = (uint8_t)(stored - data_request->position);
    uint8_t count = frame_in_length - sizeof *data_request - skip;
    uint8_t *bytes = frame_in.payload + sizeof *data_request + skip;
    for (uint8_t at = 0; stored + at < MARK_BYTES && at < count; at++)
        bytes[at] = ERASED;
    store_write(&slots[spare], stored, bytes, count);
    stored += count;
}

/* Whether the first bytes are those of an image for this runtime. */
static bool ours(const uint8_t *bytes) {
    const image_t *head = (const void *)bytes;
    return head->magic == STREAM_MAGIC && head->abi == STREAM_ABI && head->length == id.length;
}

uint8_t upload_data(const uint8_t *payload, uint8_t count) {
    (void)payload;
    uint8_t status = STATUS_OK;
    if (count < sizeof *data_request)
        return STATUS_BAD_LENGTH;
    count -= sizeof *data_request;
    uint32_t end = data_request->position + count;
    if (!id.length || committed || data_request->position > stored || end > id.length) {
        status = STATUS_BAD_ORDER;
    } else if (end > stored) {
        if (stored == 0 && (count <= offsetof(image_t, abi) || !ours(data_request->bytes)))
            status = STATUS_BAD_ABI;
        else
            status = stream_try(write_data);
    }
    upload_value = (uint16_t)(stored / 4);
    return status;
}

static STREAM_ACTION void commit(void) {
    wake_same();
    slots_scan();
    uint32_t sequence = slot_sequence + 1;
    slot_read(spare);
    if (image.abi != STREAM_ABI || image.form > STREAM_ROWS || !image_sound())
        longjmp(stream_exit, STATUS_BAD_ABI);
    if (image.length != id.length || slot_crc(id.length) != image.check)
        longjmp(stream_exit, STATUS_BAD_CRC);
    store_commit(&slots[spare], sequence);
    if (!slot_read(spare) || image.sequence != sequence)
        stream_fail(FAULT_PROTECTED);
    committed = true;
}

uint8_t upload_commit(void) {
    if (!id.length || stored != id.length)
        return STATUS_BAD_ORDER;
    if (committed) /* and asked again */
        return STATUS_OK;
    uint8_t status = stream_try(commit);
    if (status == STATUS_BAD_CRC || status == STATUS_BAD_ABI)
        id.length = 0;
    return status;
}
