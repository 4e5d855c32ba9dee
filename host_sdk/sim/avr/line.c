/* The board's end of the serial line: the master side of a pseudo-terminal. */
#include "line.h"
#include "baud.h"
#include "pace.h"
#include "uart.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

enum { OUT_BYTES = 65536 }; /* about what a kernel keeps for a reader who is late */

static int master = -1, opens = -1;
static bool connected;
static double default_baud, host_baud;
static uint8_t out[OUT_BYTES]; /* a ring */
static size_t out_first, out_count;

static bool make_raw(const char *path, uint32_t baud) {
    int slave = open(path, O_RDWR | O_NOCTTY);
    struct termios settings;
    if (slave < 0 || tcgetattr(slave, &settings))
        return false;
    cfmakeraw(&settings);
    tcsetattr(slave, TCSANOW, &settings);
    baud_set(slave, baud);
    close(slave); /* from here on, a hang-up on the master means that nobody has the port open */
    return true;
}

const char *line_create(uint32_t baud, bool watch_opens) {
    default_baud = host_baud = baud;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master))
        return NULL;
    const char *path = ptsname(master);
    if (!path || !make_raw(path, baud))
        return NULL;
    fcntl(master, F_SETFL, O_NONBLOCK);
#ifdef __linux__
    if (watch_opens) {
        opens = inotify_init1(IN_NONBLOCK);
        inotify_add_watch(opens, path, IN_OPEN);
    }
#else
    (void)watch_opens;
#endif
    return path;
}

static void flush_out(void) {
    while (out_count) {
        size_t run = OUT_BYTES - out_first < out_count ? OUT_BYTES - out_first : out_count;
        ssize_t done = write(master, out + out_first, run);
        if (done <= 0)
            return;
        out_first = (out_first + done) % OUT_BYTES;
        out_count -= done;
    }
}

void line_exchange(void) {
    struct pollfd state = {.fd = master, .events = POLLIN};
    poll(&state, 1, 0);
    connected = !(state.revents & POLLHUP);
    if (!connected)
        out_count = 0;
    flush_out();
    uint8_t bytes[256];
    size_t room = uart_room() < sizeof bytes ? uart_room() : sizeof bytes;
    ssize_t got = state.revents & POLLIN && room ? read(master, bytes, room) : 0;
    /* Asked after reading: a host sets its speed before it sends. */
    host_baud = baud_get(master, default_baud);
    if (got > 0) {
        uart_feed(bytes, got);
        pace_host_acted();
    }
}

void line_send(uint8_t byte) {
    if (connected && out_count < OUT_BYTES)
        out[(out_first + out_count++) % OUT_BYTES] = byte;
}

double line_baud(void) { return host_baud; }

int line_input_fd(void) { return connected && uart_room() ? master : -1; }

int line_open_fd(void) { return opens; }

bool line_was_opened(void) {
    char events[4096];
    return opens >= 0 && read(opens, events, sizeof events) > 0;
}
