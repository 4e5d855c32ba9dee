/* A language model in a sketch: ulm.chat("hello"). The serial line and the pins stay the sketch's.
 */
#ifndef ULM_H
#define ULM_H

#include <Arduino.h>

#include "ulm/model.h"

class Ulm {
  public:
    /* The reply to a query in plain ASCII; it stays until the next chat(). Null, and nothing said,
     * when the query is longer than maxQuery() or the model in flash is damaged. */
    const char *chat(const char *query);
    const char *chat(const String &query) { return chat(query.c_str()); }

    /* Longest query in characters; 0 when the model in flash is damaged. */
    uint8_t maxQuery();

    /* CRC-16/X-25 of every number that the last reply came from: what `ulm verify` compares. */
    uint16_t digest();

    /* Where a reply does something, `act` is called with its number (ULM_LED_ON, …) before the
     * reply is put together; what it returns is shown in place of {}. */
    void onAction(long (*act)(uint8_t action));

    /* Called by `act`: the returned number has so many decimals, 498 with 2 is shown as 4.98. */
    void decimals(uint8_t count);

    /* With -fpermissive the compiler would take a function of another type, and numbers would be
     * wrong. */
    template <typename Value, typename Number> void onAction(Value (*act)(Number)) = delete;
};

extern Ulm ulm;

#endif
