/* The speed of a terminal in bits per second, odd speeds included. */
#ifndef ULM_BAUD_H
#define ULM_BAUD_H

double baud_get(int fd, double unknown);
void baud_set(int fd, unsigned baud);

#endif
