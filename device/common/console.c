/* A line editor of one screen line: echo, backspace, reply. */
#include "console.h"

#include "frame.h"
#include "image.h"
#include "model.h"
#include "port.h"
#include "reply.h"
#include "spec.h"
#include "tape.h"
#include "upload.h"
#ifdef TAPE_STREAM
#include "arena.h"
#endif

#define LINE_BYTES 80
#define BACKSPACE 0x08
#define DELETE 0x7F
#define NOISE 0xFF /* line length of a line that no person typed */

#ifdef TAPE_STREAM
/* Its end, which nobody writes to before the query is complete. */
static char *const line = (char *)ARENA + ARENA_BYTES - LINE_BYTES;
#else
static char line[LINE_BYTES];
#endif
static uint8_t length;
static uint8_t model;

static void put_text(const char *text) {
    for (uint8_t c; (c = tape_text(text)); text++)
        port_send(c);
}

static void put_prompt(void) {
    static const char prompt[] TAPE_TEXT = "\r\n> ";
    put_text(prompt);
    length = 0;
}

void console_begin(uint8_t status) {
    static const char greeting[] TAPE_TEXT = "\r\nmicroLM on ";
    static const char none[] TAPE_TEXT = ": no sound model, flash one";
    model = status;
    put_text(greeting);
    const char *name = port_facts->board;
    for (uint8_t c, left = sizeof port_facts->board; left && (c = tape_text(name)); left--, name++)
        port_send(c);
    if (status != STATUS_OK)
        put_text(none);
    put_prompt();
}

static bool show(uint8_t from) {
    for (; from < reply.length; from++)
        port_send((uint8_t)reply.text[from]);
    return true;
}

static void answer(void) {
    uint8_t start = 0;
    while (start < length && line[start] == ' ')
        start++;
    while (length > start && line[length - 1] == ' ')
        length--;
    if (start == length)
        return;
    static const char failed[] TAPE_TEXT = "\r\nno answer from the card or chip";
    if (MODEL_ON_MEDIUM) {
        static const char long_line[] TAPE_TEXT = "\r\nline too long";
        upload_pause();
        model = model_open();
        if (model != STATUS_OK) {
            put_text(failed);
            return;
        }
        if (length - start > image.max_query) {
            put_text(long_line);
            return;
        }
    }
    port_send('\r');
    port_send('\n');
    reply_begin();
    reply_query((const uint8_t *)line + start, length - start);
    reply_run(true, show);
    if (MODEL_ON_MEDIUM && reply.status != STATUS_OK)
        put_text(failed);
}

void console_byte(uint8_t byte) {
    if (byte == '\r' || byte == '\n') {
        if (length == 0 && byte == '\n')
            return;                                                     /* of CR LF */
        if (length != NOISE && (MODEL_ON_MEDIUM || model == STATUS_OK)) /* a card may have come */
            answer();
        put_prompt();
    } else if (length == NOISE) {
        return;
    } else if (byte == BACKSPACE || byte == DELETE) {
        if (length) {
            static const char erase[] TAPE_TEXT = "\b \b";
            length--;
            put_text(erase);
        }
    } else if (byte < ' ' || byte > '~' || length == LINE_BYTES) {
        static const char refused[] TAPE_TEXT = "\r\nline refused";
        put_text(refused);
        length = NOISE;
    } else {
        line[length++] = (char)byte;
        port_send(byte);
    }
}

void console_unframe(void) {
    uint8_t count = frame_abandon();
    console_byte(FRAME_FLAG);
    for (uint8_t i = 0; i < count; i++)
        console_byte(((const uint8_t *)&frame_in)[i]);
}
