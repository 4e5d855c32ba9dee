/* One bench program: queries in, the network in plain C, outputs out; what is timed lies between
 * markers.
 *
 * weights.h is generated from a model file. KERNEL is the file that multiplies: it is included once
 * for the inputs, which are counts of one byte, and once for activations, which are 16-bit words.
 * The arithmetic is that of docs/semantics.md; a sum of counts is multiplied by 32 afterwards,
 * which is the same integer modulo 2^16 and lets the counts be bytes.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdbool.h>
#include <string.h>

/* Sums of 16 or of 32 bits. */
#ifdef WIDE
typedef int32_t acc_t;
#else
typedef int16_t acc_t;
#endif

/* Weights in SRAM, in flash read by pgm_read_byte(), or in flash with the compiler's __flash. */
#if defined IN_SRAM
#define STORED
typedef const uint8_t *weights_t;
#define NEXT(weights) (*(weights)++)
#elif defined BY_PGM_READ
#define STORED PROGMEM
typedef const uint8_t *weights_t;
#define NEXT(weights) pgm_read_byte((weights)++)
#else
#define STORED __flash
typedef const __flash uint8_t *weights_t;
#define NEXT(weights) (*(weights)++)
#endif

#include "weights.h"

enum { MARK_QUERY = 1, MARK_PASS = 2, MARK_DONE = 3 };
enum { INPUTS = QUERY_BUCKETS + CONTEXT_BUCKETS, INPUT_SCALE = 32, NO_MORE = 0xFF };

static uint8_t counts[INPUTS];
static acc_t sums[MAX_ROWS];
static int16_t active[MAX_ROWS];

/* Not inlined, so that a kernel has the registers for itself. */
#define ALONE __attribute__((noinline))

/* sums (rows) = weights (rows, columns) times x (columns). */
#define X uint8_t
#define MULTIPLY multiply_counts
#include KERNEL
#undef X
#undef MULTIPLY
#define X int16_t
#define MULTIPLY multiply
#include KERNEL

/* One pass; the index of the first largest output. */
static uint8_t run(void) {
    uint16_t columns = INPUTS;
    const int16_t *bias = BIASES;
    for (uint8_t layer = 0; layer < LAYERS; layer++) {
        uint16_t rows = pgm_read_word(&ROWS[layer]);
        if (layer)
            multiply(WEIGHTS[layer], active, columns, sums, rows);
        else
            multiply_counts(WEIGHTS[layer], counts, columns, sums, rows);
        for (uint16_t row = 0; row < rows; row++) {
            acc_t acc = layer ? sums[row] : sums[row] * INPUT_SCALE;
            acc += (int16_t)pgm_read_word(bias++);
            int16_t output = (int16_t)acc >> SHIFT;
            active[row] = output < 0 && layer < LAYERS - 1 ? 0 : output;
        }
        columns = rows;
    }
    uint8_t best = 0;
    for (uint8_t row = 1; row < CLASSES; row++)
        if (active[row] > active[best])
            best = row;
    return best;
}

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

static volatile uint8_t chosen; /* so that the compiler keeps the choice of a reply */
static uint8_t first, second;
static bool started;

static void hash_query(uint8_t byte) {
    if (started)
        counts[(uint16_t)((first * 31 + second) * 31 + byte) & (QUERY_BUCKETS - 1)]++;
    started = true;
    first = second;
    second = byte;
}

static uint8_t ask(void) {
    uint8_t byte = GPIOR1;
    return byte;
}

/* Reads the rest of a query and counts its trigrams. */
static void read_query(uint8_t byte) {
    memset(counts, 0, sizeof counts);
    started = false;
    second = ' ';
    for (; byte != '\n'; byte = ask())
        hash_query(lower(byte));
    hash_query(' ');
}

#if CONTEXT_BUCKETS
static uint8_t context[CONTEXT_LENGTH];

static void hash_context(void) {
    memset(counts + QUERY_BUCKETS, 0, CONTEXT_BUCKETS);
    for (uint8_t n = 1; n <= 3; n++)
        for (uint8_t start = 0; start + n <= CONTEXT_LENGTH; start++) {
            uint16_t hash = start * 7;
            for (uint8_t i = start; i < start + n; i++)
                hash = hash * 31 + context[i];
            counts[QUERY_BUCKETS + (hash & (CONTEXT_BUCKETS - 1))]++;
        }
}
#endif

static void give_outputs(void) {
    for (uint8_t row = 0; row < CLASSES; row++) {
        GPIOR2 = (uint8_t)active[row];
        GPIOR2 = (uint8_t)((uint16_t)active[row] >> 8);
    }
}

static void answer(void) {
#if CONTEXT_BUCKETS
    memset(context, ' ', CONTEXT_LENGTH);
    for (uint8_t said = 0; said < MAX_REPLY;) {
        GPIOR0 = MARK_PASS;
        hash_context();
        uint8_t class = run();
        bool ends = class == CLASSES - 1;
        if (!ends) {
            memmove(context, context + 1, CONTEXT_LENGTH - 1);
            context[CONTEXT_LENGTH - 1] = lower(pgm_read_byte(&CHARSET[class]));
            said++;
        }
        GPIOR0 = MARK_DONE;
        give_outputs();
        if (ends)
            return;
    }
#else
    GPIOR0 = MARK_PASS;
    chosen = run();
    GPIOR0 = MARK_DONE;
    give_outputs();
#endif
}

int main(void) {
    for (uint8_t byte; (byte = ask()) != NO_MORE;) {
        GPIOR0 = MARK_QUERY;
        read_query(byte);
        answer();
    }
    cli();
    sleep_enable();
    sleep_cpu();
}
