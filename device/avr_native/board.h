/* The board that is built for: the Makefile defines BOARD_HEADER as its header. */
#ifndef BOARD_H
#define BOARD_H

#include BOARD_HEADER

#endif
