/* The board that is built for: make BOARD=uno defines BOARD_HEADER. */
#ifndef BOARD_H
#define BOARD_H

#include BOARD_HEADER

#endif
