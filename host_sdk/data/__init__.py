"""Data files before a training: faults in them, splits, more of them, public ones. Needs no torch and no board."""
