/* Arduino LilyPad with an SD card: ATmega328P at 8 MHz, 3.3 V, ATmegaBOOT. */
#define BOARD_NAME "lilypad-sd"
#define F_CPU 8000000UL
#define BOARD_BAUD 57600
#define BOARD_FLASH_END 0x7800 /* first byte of the boot section */
#include "wiring.h"
