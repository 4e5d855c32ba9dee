/* Sleeping with all clocks on but the CPU's. */
#ifndef IDLE_H
#define IDLE_H

/* Sleeps until an interrupt and lets it in. Interrupts must be off since the look for work, or
 * since before the awaited interrupt was enabled: one between that and SLEEP would leave the CPU
 * asleep until the next. */
void idle_until_interrupt(void);

#endif
