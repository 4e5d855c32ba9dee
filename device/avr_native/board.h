/* The board that is built for: the Makefile makes one of every board_NAME.h. */
#ifndef BOARD_H
#define BOARD_H

#include BOARD_HEADER

#endif
