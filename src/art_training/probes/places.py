"""Where in the user's code something stands."""

import inspect
from typing import Any

_BETWEEN = ("torch.autograd.grad_mode", "torch.utils._contextlib")  # what `with torch.no_grad()` goes through


def place_of_call(through: tuple[str, ...] = ()) -> str:
    """File and line of the caller, past this package; empty where the caller belongs to torch or a trainer.

    Args:
        through: modules of torch that are looked past too.
    """
    frame = inspect.currentframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith(("art_training.", *_BETWEEN, *through)):
            outside = name == "torch" or name.startswith(("torch.", "lightning.", "pytorch_lightning."))
            return "" if outside else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def place_of(thing: Any) -> str:
    """File and line of a function, a method or a class; empty where it has none."""
    try:
        path = inspect.getsourcefile(thing)
        return f"{path}:{inspect.getsourcelines(thing)[1]}" if path else ""
    except (OSError, TypeError):
        return ""
