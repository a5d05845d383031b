"""Running a user's code under fixed random states, and leaving the process as it was."""

import os
import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def undisturbed(seed: int) -> Generator[None]:
    """Seed Python, NumPy and torch inside the block; restore their states, the environment and the folder after it.

    Devices keep their states: data is set up on the processor. A library that is not imported is left so.
    """
    numpy: Any = sys.modules.get("numpy.random")
    torch: Any = sys.modules.get("torch")
    folder = os.getcwd()  # noqa: PTH109
    environment = dict(os.environ)
    python_state = random.getstate()
    numpy_state = numpy.get_state() if numpy else None
    torch_state = torch.get_rng_state() if torch else None
    try:
        random.seed(seed)
        if numpy:
            numpy.seed(seed % 2**32)
        if torch:
            torch.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        if numpy:
            numpy.set_state(numpy_state)
        if torch:
            torch.set_rng_state(torch_state)
        os.chdir(folder)
        if dict(os.environ) != environment:  # `seed_everything` leaves its seed there
            os.environ.clear()
            os.environ.update(environment)
