/* The board's pins by their Arduino names: levels in and out, analog inputs, and a log of changes.
 */
#include "pins.h"
#include "chip.h"

#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <stdio.h>
#include <string.h>

enum { PORTS = 3, PINS = 20, FIRST_ANALOG = 14 };
enum { ROOM_TEMPERATURE_MV = 314 };       /* of the sensor at 25 degrees (datasheet 23.8) */
enum { OFFSET_DDR = 1, OFFSET_PORT = 2 }; /* from the address of PINx */

static struct port {
    char name;
    uint16_t pin_register;
    int8_t first_pin; /* Arduino number of bit 0 */
    uint8_t bits;
    uint8_t driven, level; /* by the outside world */
    uint8_t ddr, port;     /* as last logged */
} ports[PORTS] = {
    {.name = 'D', .pin_register = 0x29, .first_pin = 0, .bits = 8},
    {.name = 'B', .pin_register = 0x23, .first_pin = 8, .bits = 6},
    {.name = 'C', .pin_register = 0x26, .first_pin = FIRST_ANALOG, .bits = 6},
};

struct events pins_changes;
static void (*on_change)(int pin, enum pin_state state);

void pins_on_change(void (*changed)(int pin, enum pin_state state)) { on_change = changed; }

static struct port *port_of(int pin, uint8_t *mask) {
    struct port *port = ports;
    while (pin >= port->first_pin + port->bits)
        port++;
    *mask = 1 << (pin - port->first_pin);
    return port;
}

int pin_number(const char *name) {
    int number;
    char rest;
    if (sscanf(name, "D%d%c", &number, &rest) == 1 && number >= 0 && number < FIRST_ANALOG)
        return number;
    if (sscanf(name, "A%d%c", &number, &rest) == 1 && number >= 0 && number < PINS - FIRST_ANALOG)
        return FIRST_ANALOG + number;
    return -1;
}

static enum pin_state state_of(uint8_t ddr, uint8_t port, uint8_t mask) {
    return !(ddr & mask) ? PIN_INPUT : port & mask ? PIN_HIGH : PIN_LOW;
}

static void log_port(struct port *port, uint8_t ddr, uint8_t value) {
    for (int bit = 0; bit < port->bits; bit++) {
        enum pin_state state = state_of(ddr, value, 1 << bit);
        if (state == state_of(port->ddr, port->port, 1 << bit))
            continue;
        events_add(&pins_changes, (port->first_pin + bit) << 2 | state);
        if (on_change)
            on_change(port->first_pin + bit, state);
    }
    port->ddr = ddr;
    port->port = value;
}

static void port_written(struct avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq;
    struct port *port = param;
    log_port(port, chip->data[port->pin_register + OFFSET_DDR], value);
}

static void ddr_written(struct avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq;
    struct port *port = param;
    log_port(port, value, chip->data[port->pin_register + OFFSET_PORT]);
}

static avr_irq_t *irq_of(struct port *port, int index) {
    return avr_io_getirq(chip, AVR_IOCTL_IOPORT_GETIRQ(port->name), index);
}

void pins_create(void) {
    for (struct port *port = ports; port < ports + PORTS; port++) {
        avr_irq_register_notify(irq_of(port, IOPORT_IRQ_REG_PORT), port_written, port);
        avr_irq_register_notify(irq_of(port, IOPORT_IRQ_DIRECTION_ALL), ddr_written, port);
    }
    analog_set("temp", ROOM_TEMPERATURE_MV);
}

/* simavr clears the registers behind the back of its own signals: bring the two together again. */
void pins_reset(void) {
    for (struct port *port = ports; port < ports + PORTS; port++) {
        log_port(port, 0, 0);
        chip->data[port->pin_register] = port->driven & port->level;
        irq_of(port, IOPORT_IRQ_REG_PORT)->value = 0;
        irq_of(port, IOPORT_IRQ_DIRECTION_ALL)->value = 0;
        for (int bit = 0; bit < port->bits; bit++)
            irq_of(port, bit)->value = port->driven & port->level & 1 << bit ? 1 : 0;
    }
}

static void tell_simavr(struct port *port) {
    avr_ioport_external_t external = {
        .name = port->name, .mask = port->driven, .value = port->driven & port->level};
    avr_ioctl(chip, AVR_IOCTL_IOPORT_SET_EXTERNAL(port->name), &external);
}

void pin_drive(int pin, bool high) {
    uint8_t mask;
    struct port *port = port_of(pin, &mask);
    port->driven |= mask;
    port->level = high ? port->level | mask : port->level & ~mask;
    tell_simavr(port);
    if (pin_state(pin) == PIN_INPUT)
        avr_raise_irq(irq_of(port, pin - port->first_pin), high);
}

void pin_release(int pin) {
    uint8_t mask;
    struct port *port = port_of(pin, &mask);
    port->driven &= ~mask;
    tell_simavr(port);
    if (pin_state(pin) == PIN_INPUT && chip->data[port->pin_register + OFFSET_PORT] & mask)
        avr_raise_irq(irq_of(port, pin - port->first_pin), 1); /* the pull-up */
}

enum pin_state pin_state(int pin) {
    uint8_t mask;
    struct port *port = port_of(pin, &mask);
    return state_of(chip->data[port->pin_register + OFFSET_DDR],
                    chip->data[port->pin_register + OFFSET_PORT], mask);
}

bool pin_level(int pin) {
    uint8_t mask;
    struct port *port = port_of(pin, &mask);
    enum pin_state state = pin_state(pin);
    return state == PIN_INPUT ? chip->data[port->pin_register] & mask : state == PIN_HIGH;
}

bool analog_set(const char *name, uint32_t millivolts) {
    int pin = pin_number(name);
    if (!strcmp(name, "vcc")) {
        chip->vcc = chip->avcc = chip->aref = millivolts;
        return true;
    }
    if (pin < FIRST_ANALOG && strcmp(name, "temp"))
        return false;
    int input = pin < 0 ? ADC_IRQ_TEMP : ADC_IRQ_ADC0 + pin - FIRST_ANALOG;
    avr_raise_irq(avr_io_getirq(chip, AVR_IOCTL_ADC_GETIRQ, input), millivolts);
    return true;
}
