/* Which pin does what, on every board of this folder (docs/hardware.md). */
#ifndef WIRING_H
#define WIRING_H

#define BOARD_LED PB1    /* D9, port B: D13 is the clock of the bus */
#define BOARD_BUTTON PD2 /* D2, port D, to ground when pressed */
#define BOARD_ANALOG 0   /* A0 */

/* Port B. */
#define WIRE_CLOCK PB5  /* D13 */
#define WIRE_IN PB4     /* D12 */
#define WIRE_OUT PB3    /* D11 */
#define WIRE_SELECT PB2 /* D10, low: selected */
#define WIRE_POWER PB0  /* D8, low: the part has power */

#endif
