/* A file of the host as the memory of a part: what is written is in the file at once, and what the
 * host writes is read.
 *
 * Where the host has cut the file off meanwhile, a page of zeros takes the place of what is gone.
 */
#include "memory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int descriptor = -1; /* of the one file; it holds the lock */
static struct memory mapped;
static volatile sig_atomic_t patched;

static void patch(int signal_number, siginfo_t *about, void *context) {
    (void)context;
    uintptr_t page = sysconf(_SC_PAGESIZE), at = (uintptr_t)about->si_addr & ~(page - 1);
    uintptr_t start = (uintptr_t)mapped.bytes;
    patched = 1;
    if (at < start || at >= start + mapped.size ||
        mmap((void *)at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED)
        signal(signal_number, SIG_DFL);
}

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
    struct sigaction action = {.sa_sigaction = patch, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    void *bytes = mmap(NULL, about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (bytes == MAP_FAILED)
        return "cannot be mapped into memory";
    *memory = mapped = (struct memory){bytes, about.st_size};
    return NULL;
}

bool memory_was_cut(void) { return patched; }

void memory_close(struct memory *memory) {
    if (memory->bytes)
        munmap(memory->bytes, memory->size);
    if (descriptor >= 0)
        close(descriptor);
    descriptor = -1;
    patched = 0;
    *memory = mapped = (struct memory){0};
}
