/* Arduino LilyPad: ATmega328P at 8 MHz, 3.3 V, ATmegaBOOT. */
#define BOARD_NAME "lilypad"
#define F_CPU 8000000UL
#define BOARD_BAUD 57600
#define BOARD_FLASH_END 0x7800 /* first byte of the boot section */
#define BOARD_LED PB5          /* D13, port B */
#define BOARD_BUTTON PD2       /* D2, port D, to ground when pressed */
#define BOARD_ANALOG 0         /* A0 */
