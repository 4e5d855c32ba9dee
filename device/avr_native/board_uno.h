/* Arduino UNO: ATmega328P at 16 MHz, optiboot. */
#define BOARD_NAME "uno"
#define F_CPU 16000000UL
#define BOARD_BAUD 115200
#define BOARD_FLASH_END 0x7E00 /* first byte of the boot section */
#define BOARD_LED PB5          /* D13, port B */
#define BOARD_BUTTON PD2       /* D2, port D, to ground when pressed */
#define BOARD_ANALOG 0         /* A0 */
