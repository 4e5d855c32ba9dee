/* Sleeping with all clocks on but the CPU's. */
#ifndef IDLE_H
#define IDLE_H

/* Sleeps until an interrupt and lets it in. Call it with interrupts off, before looking whether
 * there is anything to wait for: an interrupt between the look and SLEEP would leave the CPU asleep
 * until the next one. */
void idle_until_interrupt(void);

#endif
