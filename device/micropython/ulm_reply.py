"""Makes replies: spells characters, or picks a text and performs its action."""

from ulm_ticks import ticks_diff, ticks_us


class StoppedError(Exception):
    """Ends a reply in the middle of a pass."""


class Reply:
    """One reply and its figures; times in microseconds."""

    def __init__(self, engine):
        self.engine = engine
        self.text = b""
        self.passes = self.digest = self.query_us = self.first_us = self.all_us = self.longest_us = 0
        self.stopped = False

    def run(self, query, act, each):
        """Answer a query; each(reply, so many characters before) after every pass says whether to go on."""
        engine, image = self.engine, self.engine.image
        started = ticks_us()
        engine.ask(query)
        self.query_us = ticks_diff(ticks_us(), started)
        last = False
        while not last:
            before = len(self.text)
            started = ticks_us()
            best = engine.run()
            if image.kind == 0 and best < image.classes - 1:
                letter = image.charset[best : best + 1]
                self.text += letter
                engine.spell(letter)
                last = len(self.text) == image.max_reply
            else:
                last = True
            spent = ticks_diff(ticks_us(), started)
            self.all_us += spent
            self.first_us = self.first_us or spent
            self.longest_us = max(self.longest_us, spent)
            self.passes += 1
            self.digest = engine.digest ^ 0xFFFF
            if image.kind == 1:
                self.text = pick(image, best, act)
            if not each(self, before) and not last:
                self.stopped = True
                return


def pick(image, number, act):
    """The text of a reply, with the value of its action if that is performed."""
    action, text = image.reply(number)
    if act and action:
        from ulm_action import perform

        text = text.replace(b"{}", perform(action))
    return text[:50]
