/* 1,280 bytes of SRAM from the start of a page: the kernel's from the first byte of a query to the
 * end of the reply, else a block that is to be written, what mounting a card needs, and the line
 * that a person types. Linked below .data (Makefile). */
#ifndef ARENA_H
#define ARENA_H

#define ARENA_BYTES 1280

#ifdef __AVR__
#define ARENA_ADDRESS 0x0100
#define ARENA ((uint8_t *)ARENA_ADDRESS)
#else
extern unsigned char ARENA[ARENA_BYTES];
#endif

#define ARENA_BLOCK ARENA        /* 512 bytes */
#define ARENA_WORK (ARENA + 512) /* up to the console's line, which is at the end */

#endif
