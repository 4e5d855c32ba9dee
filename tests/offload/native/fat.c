/* fat.c on a file of this computer. Prints "fault N", "status N", or "block blocks" of every slot.
 */
#include <setjmp.h>
#include <stdio.h>

#include "arena.h"
#include "fat.h"
#include "medium.h"
#include "spec.h"
#include "stream.h"

_Alignas(8) unsigned char ARENA[ARENA_BYTES];
slot_t slots[SLOTS];
uint8_t slot_count;
uint32_t stream_base;
jmp_buf stream_exit;
static FILE *card;

void stream_seek(uint32_t position) {
    if (fseek(card, (long)stream_base * 512 + position, SEEK_SET))
        stream_fail(FAULT_READ);
}

void stream_read(void *bytes, uint8_t count) {
    if (fread(bytes, 1, count, card) != count)
        stream_fail(FAULT_READ);
}

void stream_fail(uint8_t fault) {
    printf("fault %d\n", fault);
    longjmp(stream_exit, STATUS_MEDIUM);
}

int main(int count, char **arguments) {
    card = fopen(arguments[count - 1], "rb");
    int status = setjmp(stream_exit);
    if (!status) {
        fat_mount();
        for (uint8_t at = 0; at < slot_count; at++)
            printf("%u %u\n", slots[at].block, slots[at].blocks);
    } else if (status != STATUS_MEDIUM) {
        printf("status %d\n", status);
    }
    return 0;
}
