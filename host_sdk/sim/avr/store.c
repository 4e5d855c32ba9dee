/* The board's memories on disk: flash.bin and eeprom.bin in its state folder.
 *
 * Files are replaced whole, by renaming, so a process killed at any moment leaves sound ones.
 */
#include "store.h"
#include "chip.h"
#include "eeprom.h"
#include "pace.h"

#include <limits.h>
#include <stdio.h>

enum { FLASH_BYTES = 32768 };
static const int64_t BURST_NS = 200000000; /* programming is over when it pauses this long */

static char flash_path[PATH_MAX], eeprom_path[PATH_MAX];
static bool dirty;
static int64_t touched_ns;

static bool load(const char *path, uint8_t *memory, size_t size, bool required) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return !required;
    bool whole = fread(memory, 1, size, file) == size && fgetc(file) == EOF;
    fclose(file);
    return whole;
}

static void save(const char *path, const uint8_t *memory, size_t size) {
    char part[PATH_MAX + 8];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "wb");
    if (!file)
        return;
    bool whole = fwrite(memory, 1, size, file) == size;
    if (!fclose(file) && whole)
        rename(part, path);
}

bool store_load(const char *folder) {
    snprintf(flash_path, sizeof flash_path, "%s/flash.bin", folder);
    snprintf(eeprom_path, sizeof eeprom_path, "%s/eeprom.bin", folder);
    return load(flash_path, chip->flash, FLASH_BYTES, true) &&
           load(eeprom_path, eeprom_cells(), EEPROM_BYTES, false);
}

void store_touch(void) {
    dirty = true;
    touched_ns = pace_now_ns();
}

void store_tick(void) {
    if (dirty && pace_now_ns() - touched_ns >= BURST_NS)
        store_save();
}

void store_save(void) {
    if (!dirty)
        return;
    save(flash_path, chip->flash, FLASH_BYTES);
    save(eeprom_path, eeprom_cells(), EEPROM_BYTES);
    dirty = false;
}
