/* Answers every line with the reply, a tab, and the digest. GPIOR0 marks the cycles of chat(). */
#include <ulm.h>

/* Would clash if the library left its own names visible. */
const char *reply;
int engine_open, column_add, text_lower, image_byte;

long act(uint8_t action) {
    if (action == ULM_SUPPLY_VOLTAGE) {
        ulm.decimals(2);
        return 498;
    }
    return -1000L * action;
}

void setup() {
    Serial.begin(115200);
    ulm.onAction(act);
    Serial.println(ulm.maxQuery());
}

void loop() {
    if (!Serial.available())
        return;
    String line = Serial.readStringUntil('\n');
    GPIOR0 = 1;
    reply = ulm.chat(line);
    GPIOR0 = 2;
    if (reply) {
        Serial.print(reply);
        Serial.print('\t');
        Serial.println(ulm.digest(), HEX);
    } else {
        Serial.println(F("refused"));
    }
}
