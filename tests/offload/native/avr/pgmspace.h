/* Constant text lies with all other data here. */
#define PROGMEM
#define pgm_read_byte(at) (*(const unsigned char *)(at))
