"""Virtual Python boards as processes: a real MicroPython behind a serial port."""
