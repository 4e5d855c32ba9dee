/* Random access to the model image; the engine itself reads it as a tape. */
#include "image.h"

#include "tape.h"

__attribute__((noinline)) uint8_t image_byte(uint16_t offset) {
    tape_t tape = tape_at(offset);
    return tape_next(&tape);
}

__attribute__((noinline)) uint16_t image_word(uint16_t offset) {
    tape_t tape = tape_at(offset);
    return tape_word(&tape);
}
