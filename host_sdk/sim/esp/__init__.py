"""A virtual Espressif chip: the serial loader in its ROM and its flash. It runs no programs."""
