/* Fields of the model image, by their offset (AT_… in spec.h). */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

uint8_t image_byte(uint16_t offset);
uint16_t image_word(uint16_t offset);

#endif
