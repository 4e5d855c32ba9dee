/* The socket of a card: who moves the card's file away pulls the card out, who puts one there puts
 * it in.
 *
 * A file that changes its size is another card, too: programs that replace a file often empty it
 * first. A file is put in when nobody has written to it for a while.
 */
#include "socket.h"
#include "pace.h"
#include "part.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static const int64_t LOOK_NS = 50000000, STILL_NS = 200000000;

static char path[PATH_MAX];
static struct stat inserted; /* the file in the socket */
static int64_t looked_ns;

static bool same(const struct stat *file) {
    return file->st_ino == inserted.st_ino && file->st_dev == inserted.st_dev &&
           file->st_size == inserted.st_size;
}

static bool still(const struct stat *file) {
    struct timespec now, written = file->st_mtim;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ns =
        (now.tv_sec - written.tv_sec) * (int64_t)1000000000 + now.tv_nsec - written.tv_nsec;
    return ns > STILL_NS;
}

void socket_follow(const char *file) {
    snprintf(path, sizeof path, "%s", file);
    if (!*path || stat(path, &inserted))
        inserted = (struct stat){0};
}

void socket_tick(void) {
    struct stat file;
    if (!*path || pace_now_ns() - looked_ns < LOOK_NS)
        return;
    looked_ns = pace_now_ns();
    bool there = !stat(path, &file);
    if (part_memory.bytes && (!there || !same(&file) || memory_was_cut()))
        part_remove();
    else if (!part_memory.bytes && there && still(&file) && !part_insert(path))
        inserted = file;
}
