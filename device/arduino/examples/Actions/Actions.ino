/* Replies that do something on the board: switch its LED, read a pin. Serial Monitor: 9600 baud. */
#include <ulm.h>

/* What it returns is shown in place of {} in the reply. */
long act(uint8_t action) {
    switch (action) {
    case ULM_LED_ON:
        digitalWrite(LED_BUILTIN, HIGH);
        break;
    case ULM_LED_OFF:
        digitalWrite(LED_BUILTIN, LOW);
        break;
    case ULM_READ_ANALOG:
        return analogRead(A0);
    case ULM_READ_DIGITAL:
        return digitalRead(2);
    case ULM_UPTIME:
        return millis() / 1000;
    case ULM_DICE:
        return random(1, 7);
    }
    return 0;
}

void setup() {
    pinMode(LED_BUILTIN, OUTPUT);
    pinMode(2, INPUT_PULLUP);
    Serial.begin(9600);
    Serial.println(F("Ask me something."));
    ulm.onAction(act);
}

void loop() {
    if (!Serial.available())
        return;
    String line = Serial.readStringUntil('\n');
    line.trim();
    const char *reply = ulm.chat(line);
    Serial.println(reply ? reply : "Please ask in fewer words.");
}
