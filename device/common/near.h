/* NEAR(p): from here on the structure at p is addressed through p. An AVR takes 2 bytes for a
 * member at a displacement, and 4 for one at a constant address, which the compiler would find. */
#ifndef NEAR_H
#define NEAR_H

#ifdef __AVR__
#define NEAR(p) __asm__("" : "+b"(p))
#else
#define NEAR(p) (void)(p)
#endif

#endif
