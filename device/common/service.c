/* What a request means and how it is answered (docs/protocol.md). Text mode is in console.c. */
#include "service.h"

#include <stddef.h>

#include "console.h"
#include "engine.h"
#include "frame.h"
#include "image.h"
#include "model.h"
#include "port.h"
#include "reply.h"
#include "spec.h"
#include "tape.h"
#include "upload.h"

#define LOGITS_PER_FRAME ((MAX_PAYLOAD - 2) / 2)
#define NO_SEQ 0
#define PAUSE_64K                                                                                  \
    16 /* times 2^16 cycles: 66 ms at 16 MHz, longer than between two bytes of a host */
#define PROGRESS_64K 61 /* times 2^16 cycles: 250 ms at 16 MHz */

static uint8_t status;       /* of the model */
static uint8_t seq;          /* of the request being answered */
static uint8_t answered_seq; /* of the last CHAT: repeated, it is answered from memory */
static uint8_t query_length;
static bool verifying;
static bool framed;         /* a request is being answered, not a line that a person typed */
static bool stoppable;      /* and its frame is no longer needed: another may come */
static uint16_t progressed; /* when PROGRESS went out, in 2^16 cycles */

/* Begins an answer. */
static __attribute__((noinline)) void begin(uint8_t type) { frame_begin(type, seq); }

static void acknowledge(uint8_t code, uint16_t value) {
    begin(OP_ACK);
    frame_byte(code);
    frame_word(value);
    frame_end();
}

static void put_facts(uint8_t from, uint8_t to) {
    const char *facts = (const char *)port_facts;
    for (; from < to; from++)
        frame_byte(tape_text(facts + from));
}

static void put_double(uint32_t word) {
    frame_word((uint16_t)word);
    frame_word((uint16_t)(word >> 16));
}

static void open_model(void) {
    if (MODEL_ON_MEDIUM)
        query_length = 0; /* its memory may be needed */
    status = model_open();
}

static void hello(void) {
    answered_seq = NO_SEQ;
    if (MODEL_ON_MEDIUM)
        open_model();
    begin(OP_IS_HELLO);
    put_facts(0, offsetof(port_facts_t, abi));
    frame_byte(status);
    if (status == STATUS_OK) {
        frame_byte(image.max_query);
        frame_bytes(&image.model_crc, sizeof image.model_crc);
        if (!model_put_name())
            return; /* half a frame: the host asks again */
    } else if (MODEL_ON_MEDIUM && status == STATUS_MEDIUM) {
        frame_byte(model_fault());
    }
    frame_end();
}

static void info(void) {
    begin(OP_IS_INFO);
    if (MODEL_ON_MEDIUM) {
        put_facts(offsetof(port_facts_t, abi), offsetof(port_facts_t, model_capacity));
        put_double(upload_capacity());
        put_facts(offsetof(port_facts_t, runtime_bytes), sizeof(port_facts_t));
    } else {
        put_facts(offsetof(port_facts_t, abi), sizeof(port_facts_t));
    }
    frame_byte(status);
    put_double(status == STATUS_OK ? image.length : 0);
    frame_word(port_stack_bytes());
    put_double(port_uptime_s());
    frame_byte(model_slot());
    frame_end();
}

/* Takes the part of a query at `offset`; a part that was taken before is not taken twice. */
static uint8_t take_query(uint8_t offset, const uint8_t *bytes, uint8_t count) {
    if (MODEL_ON_MEDIUM && offset == 0) {
        upload_pause();
        open_model();
    }
    if (status != STATUS_OK)
        return status;
    if (offset + count > image.max_query)
        return STATUS_TOO_LONG;
    if (offset == 0) {
        query_length = 0;
        reply_begin();
    } else if (offset != query_length) {
        return offset + count == query_length ? STATUS_OK : STATUS_BAD_ORDER;
    }
    reply_query(bytes, count);
    query_length += count;
    return STATUS_OK;
}

/* While a reply is made, the only request is STOP; all else was or will be sent again. */
static bool stop_requested(void) {
    for (int16_t byte; (byte = port_receive()) >= 0;)
        if (frame_receive((uint8_t)byte) == FRAME_COMPLETE && frame_in.type == OP_STOP)
            return true;
    return false;
}

static uint16_t clock_64k(void) { return (uint16_t)(port_cycles() >> 16); }

void service_progress(uint8_t layer, uint32_t done, uint32_t total) {
    if (!framed || (uint16_t)(clock_64k() - progressed) < PROGRESS_64K)
        return;
    progressed = clock_64k();
    begin(OP_PROGRESS);
    frame_byte(layer);
    put_double(done);
    put_double(total);
    frame_end();
}

bool service_stopped(void) { return stoppable && stop_requested(); }

static void send_text(uint8_t from) {
    begin(OP_TEXT);
    frame_byte(from);
    frame_bytes(reply.text + from, reply.length - from);
    frame_end();
}

static void send_outputs(void) {
    uint8_t left = image.classes; /* 0 means 256 */
    uint8_t row = 0;
    do {
        begin(OP_LOGITS);
        frame_byte(reply.passes - 1);
        frame_byte(row);
        uint8_t part = (uint8_t)(left - 1) < LOGITS_PER_FRAME ? left : LOGITS_PER_FRAME;
        left -= part;
        for (; part; part--)
            frame_word((uint16_t)engine_output(row++));
        frame_end();
    } while (left);
}

static void send_end(void) {
    begin(OP_END);
    frame_bytes(&reply, REPLY_END_BYTES);
    frame_end();
}

static bool send_pass(uint8_t from) {
    if (verifying)
        send_outputs();
    if (reply.length > from)
        send_text(from);
    return !stop_requested();
}

/* What a query, or the medium, is refused with. */
static void refuse(uint8_t code) {
    acknowledge(code, MODEL_ON_MEDIUM && code == STATUS_MEDIUM ? model_fault() : image.max_query);
}

static void chat(void) {
    if (seq == answered_seq) {
        send_text(0);
        send_end();
        return;
    }
    if (frame_in_length < 2) {
        acknowledge(STATUS_BAD_LENGTH, frame_in_length);
        return;
    }
    uint8_t code = take_query(frame_in.payload[1], frame_in.payload + 2, frame_in_length - 2);
    if (code != STATUS_OK) {
        refuse(code);
        return;
    }
    verifying = frame_in.payload[0] & CHAT_VERIFY;
    stoppable = true;
    reply_run(!verifying, send_pass);
    stoppable = false;
    if (MODEL_ON_MEDIUM && reply.status != STATUS_OK && reply.status != STATUS_STOPPED) {
        answered_seq = NO_SEQ;
        refuse(reply.status);
        return;
    }
    answered_seq = seq;
    query_length = 0;
    send_end();
}

static void answer(void) {
    const uint8_t *payload = frame_in.payload;
    uint8_t count = frame_in_length;
    uint8_t code = STATUS_OK;
    uint16_t value = 0;
    seq = frame_in.seq;
    switch (frame_in.type) {
    case OP_HELLO:
        hello();
        return;
    case OP_INFO:
        info();
        return;
    case OP_CHAT:
        chat();
        return;
    case OP_QUERY:
        code = STATUS_BAD_LENGTH;
        if (count) {
            code = take_query(payload[0], payload + 1, count - 1);
            value = image.max_query;
        }
        break;
    case OP_STOP: /* nothing is running */
    case OP_SLEEP:
        break;
    case OP_BEGIN:
        code = upload_begin(payload, count);
        if (MODEL_ON_MEDIUM)
            value = upload_value;
        open_model();
        break;
    case OP_DATA:
        code = upload_data(payload, count);
        if (MODEL_ON_MEDIUM) {
            query_length = 0;
            value = upload_value;
        }
        break;
    case OP_COMMIT:
        stoppable = true;
        code = upload_commit();
        stoppable = false;
        open_model();
        break;
    case OP_LOAD:
        code = STATUS_UNSUPPORTED;
        break;
    default:
        code = STATUS_UNKNOWN;
        value = frame_in.type;
    }
    if (MODEL_ON_MEDIUM && code == STATUS_MEDIUM)
        value = model_fault();
    acknowledge(code, value);
    if (frame_in.type == OP_SLEEP)
        port_power_down();
}

void service_run(void) {
    open_model();
    console_begin(status);
    uint16_t heard = 0;
    for (;;) {
        int16_t byte = port_receive();
        if (byte < 0) {
            if (frame_open() && (uint16_t)(clock_64k() - heard) > PAUSE_64K)
                console_unframe(); /* a person typed '~' */
            port_idle();
            continue;
        }
        heard = clock_64k();
        switch (frame_receive((uint8_t)byte)) {
        case FRAME_COMPLETE:
            framed = true;
            progressed = heard;
            answer();
            framed = false;
            break;
        case FRAME_TEXT:
            console_byte((uint8_t)byte);
            break;
        case FRAME_PARTIAL:
            break;
        }
    }
}
