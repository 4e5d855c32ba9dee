"""The virtual CP/M machine: a Z80 that runs real .COM files under CP/M 2.2. A program of its own: `__main__.py`."""
