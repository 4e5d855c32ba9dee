"""Virtual boards: real firmware on a simulated chip, in a process of its own. Linux and macOS only."""
