/* A file of the host as the memory of a part: what is written is in the file at once, and what the
 * host writes is read. */
#ifndef ULM_MEMORY_H
#define ULM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory {
    uint8_t *bytes; /* NULL: no file */
    uint64_t size;
};

/* Maps a file; NULL, or why it cannot be done, as a sentence without the file's name. */
const char *memory_open(struct memory *memory, const char *path);

/* The file has become shorter, and what is gone was asked for. */
bool memory_was_cut(void);

void memory_close(struct memory *memory);

#endif
