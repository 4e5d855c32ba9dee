/* What port_idle() and port_power_down() do on an ATmega328P. */
#ifndef REST_H
#define REST_H

void rest_idle(void);
void rest_power_down(void);

#endif
