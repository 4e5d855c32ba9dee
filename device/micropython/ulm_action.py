"""What a reply does on the board. `ACTIONS` maps the number of an action to a function that returns its value.

Change it before ulm.serve() to give actions a meaning on your board: `ulm_action.ACTIONS[4] = lambda: my_sensor()`.
"""

from ulm_ticks import uptime


def led():
    """A function that switches the board's LED; it does nothing where none is known."""
    try:
        from machine import Pin

        pin = Pin("LED", Pin.OUT)
        return pin.value
    except Exception:  # noqa: S110  (each port has its own reasons)
        pass
    try:
        import board
        import digitalio

        pin = digitalio.DigitalInOut(board.LED)
        pin.switch_to_output()

        def switch(on):
            pin.value = bool(on)

        return switch
    except Exception:
        return lambda on: None


def set_led(on):
    """Light or darkness; value 0."""
    if not SWITCH:
        SWITCH.append(led())  # once: CircuitPython gives a pin to one owner
    SWITCH[0](on)
    return 0


def dice():
    """1 to 6."""
    import random

    return random.getrandbits(16) % 6 + 1


SWITCH = []
ACTIONS = {
    1: lambda: set_led(1),
    2: lambda: set_led(0),
    8: uptime,
    9: dice,
}


def perform(action):
    """The value of an action as text; 0 where the board lacks it, ? where it fails."""
    try:
        return str(ACTIONS.get(action, int)()).encode()
    except Exception:  # of a function that its user wrote
        return b"?"
