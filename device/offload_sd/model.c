/* The name of the model, from the medium. */
#include "model.h"

#include "frame.h"
#include "image.h"

#define MAX_NAME 15

static STREAM_ACTION void put_name(void) {
    image_seek(image.name);
    uint8_t left = MAX_NAME; /* nobody has checked the image yet */
    for (uint8_t c; left && (c = image_next()); left--)
        frame_byte(c);
}

bool model_put_name(void) { return stream_try(put_name) == STATUS_OK; }
