/* Type a line in the Serial Monitor (9600 baud) and read the reply. */
#include <ulm.h>

void setup() {
    Serial.begin(9600);
    Serial.println(F("Ask me something."));
}

void loop() {
    if (!Serial.available())
        return;
    String line = Serial.readStringUntil('\n');
    line.trim();
    const char *reply = ulm.chat(line);
    Serial.println(reply ? reply : "Please ask in fewer words.");
}
