/* The speed of a terminal in bits per second, odd speeds included.
 *
 * On Linux that takes termios2, whose header cannot share a file with <termios.h>.
 */
#include "baud.h"

enum { SLOWEST = 50 }; /* anything below is a line that was never set up, or hung up */

#ifdef __linux__
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <sys/ioctl.h>

double baud_get(int fd, double unknown) {
    struct termios2 settings;
    if (ioctl(fd, TCGETS2, &settings) || settings.c_ospeed < SLOWEST)
        return unknown;
    return settings.c_ospeed;
}

void baud_set(int fd, unsigned baud) {
    struct termios2 settings;
    if (ioctl(fd, TCGETS2, &settings))
        return;
    settings.c_cflag = (settings.c_cflag & ~(CBAUD | CBAUD << IBSHIFT)) | BOTHER;
    settings.c_ispeed = settings.c_ospeed = baud;
    ioctl(fd, TCSETS2, &settings);
}
#else
#include <termios.h>

double baud_get(int fd, double unknown) {
    struct termios settings;
    if (tcgetattr(fd, &settings) || cfgetospeed(&settings) < SLOWEST)
        return unknown;
    return cfgetospeed(&settings);
}

void baud_set(int fd, unsigned baud) {
    struct termios settings;
    if (tcgetattr(fd, &settings))
        return;
    cfsetspeed(&settings, baud);
    tcsetattr(fd, TCSANOW, &settings);
}
#endif
