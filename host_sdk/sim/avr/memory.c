/* A file of the host as the memory of a part: what is written is in the file at once, and what the
 * host writes is read. */
#include "memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int descriptor = -1; /* of the one file; it holds the lock */

const char *memory_open(struct memory *memory, const char *path) {
    struct stat about;
    memory_close(memory);
    descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &about) || !S_ISREG(about.st_mode))
        return "is not a file that can be read and written";
    if (flock(descriptor, LOCK_EX | LOCK_NB))
        return "is in another virtual board";
    if (about.st_size == 0)
        return "is empty";
    void *mapped = mmap(NULL, about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED)
        return "cannot be mapped into memory";
    *memory = (struct memory){mapped, about.st_size};
    return NULL;
}

void memory_close(struct memory *memory) {
    if (memory->bytes)
        munmap(memory->bytes, memory->size);
    if (descriptor >= 0)
        close(descriptor);
    descriptor = -1;
    *memory = (struct memory){0};
}
