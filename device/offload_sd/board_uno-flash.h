/* Arduino UNO with a SPI flash chip: ATmega328P at 16 MHz, optiboot. */
#define BOARD_NAME "uno-flash"
#define F_CPU 16000000UL
#define BOARD_BAUD 115200
#define BOARD_FLASH_END 0x7E00 /* first byte of the boot section */
#include "wiring.h"
