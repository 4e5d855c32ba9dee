"""The runtime of a BBC micro:bit: `import ulm_tiny; ulm_tiny.serve()` serves until Ctrl-C.

Modules are loaded one by one: compiling needs most of the heap, and its stack allows no import inside an import.
"""

import gc

import ulm_text

gc.collect()
import ulm_tiny_engine

gc.collect()
import ulm_build
import ulm_crc

gc.collect()
import ulm_frame

gc.collect()
import ulm_tiny_answer

gc.collect()
import ulm_tiny_line

gc.collect()
from ulm_tiny_loop import serve
