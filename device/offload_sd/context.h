/* What a character model knows of its reply so far. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "text.h"

#define CONTEXT_MAX 32 /* characters */

/* The hashes of the context: the end of the text in `reply`, in lower case behind blanks. */
void context_hashes(text_hash_t use);

#endif
