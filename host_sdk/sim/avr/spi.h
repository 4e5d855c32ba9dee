/* The SPI peripheral as master: transfers that take their time, and what happens to hasty firmware.
 */
#ifndef ULM_SPI_H
#define ULM_SPI_H

#include <stdbool.h>
#include <stdint.h>

struct spi_counters {
    uint64_t bytes;      /* transfers started */
    uint64_t early;      /* reads of SPDR during a transfer: they give the byte before */
    uint64_t collisions; /* writes of SPDR that were lost */
};

extern struct spi_counters spi_counters;
extern uint64_t spi_alarm; /* alarm_ring() is called when so many bytes have been counted */

void spi_create(void);
void spi_reset(void);

/* The clock of the bus in Hz. */
uint32_t spi_clock_hz(void);

/* All bits of the last byte are through: a chip select may change. Otherwise that byte is cut, and
 * what is received of it means nothing. */
bool spi_whole(void);

#endif
