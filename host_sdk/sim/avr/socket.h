/* The socket of a card: who moves the card's file away pulls the card out, who puts one there puts
 * it in. */
#ifndef ULM_SOCKET_H
#define ULM_SOCKET_H

/* The file to follow from now on, just put in or not there yet; "" for none. */
void socket_follow(const char *path);

/* Looks now and then whether the file came, went, or is another one. */
void socket_tick(void);

#endif
