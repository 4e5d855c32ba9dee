/* 1,280 bytes of SRAM from the start of a page: the kernel's activations while a reply runs, else
 * a buffer for one sector. Linked below .data (Makefile). */
#ifndef ARENA_H
#define ARENA_H

#define ARENA_BYTES 1280

#ifdef __AVR__
#define ARENA_ADDRESS 0x0100
#define ARENA ((uint8_t *)ARENA_ADDRESS)
#else
extern unsigned char ARENA[ARENA_BYTES];
#endif

#endif
