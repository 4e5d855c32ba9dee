/* Where the kernel in assembly keeps its sums: low and high bytes have a page of SRAM each, so an
 * address within a page is a place and fits one register. Linked below .data (Makefile). */
#ifndef PAGES_H
#define PAGES_H

#define CACHE 1 /* of a query */
#define A_LOW 2 /* high bytes one page on */
#define B_LOW 4
#define SWAP (A_LOW ^ B_LOW)

#endif
