"""Importing what a user wrote, which must not run it."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_importing: ContextVar[bool] = ContextVar("art_importing", default=False)


@contextmanager
def importing() -> Generator[None]:
    """While a user's file is imported: a project in it refuses to run, because importing a file must not train."""
    token = _importing.set(True)
    try:
        yield
    finally:
        _importing.reset(token)


def is_importing() -> bool:
    """Whether a user's file is being imported."""
    return _importing.get()
