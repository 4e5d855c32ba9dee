/* Arduino Pro Mini, 5 V: ATmega328P at 16 MHz, ATmegaBOOT. */
#define BOARD_NAME "promini16"
#define F_CPU 16000000UL
#define BOARD_BAUD 57600
#define BOARD_FLASH_END 0x7800 /* first byte of the boot section */
#define BOARD_LED PB5          /* D13, port B */
#define BOARD_BUTTON PD2       /* D2, port D, to ground when pressed */
#define BOARD_ANALOG 0         /* A0 */
