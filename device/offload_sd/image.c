/* The model image: bytes at any place. */
#include "image.h"

#include "stream.h"

image_t image;

void image_seek(uint32_t offset) { stream_seek(offset); }

uint8_t image_next(void) { return stream_next(); }
