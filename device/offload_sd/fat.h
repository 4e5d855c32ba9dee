/* Finds model files on a card: in the root directory of a FAT16 or FAT32 volume, or right at the
 * start of the card. */
#ifndef FAT_H
#define FAT_H

/* Fills `slots`: ULM-A.ULB and ULM-B.ULB, or one other file *.ULB that begins as an image does.
 * Leaves through stream_exit. */
void fat_mount(void);

#endif
