"""The serial line: frames, messages, sessions, ports. The only room with pyserial."""
