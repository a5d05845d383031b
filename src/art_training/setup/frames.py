"""Whose code the frames of a traceback are, and tracebacks without those that help nobody."""

import linecache
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, ParamSpec, TypeVar

from art_training.errors import ARTError, UsageError

P = ParamSpec("P")
R = TypeVar("R")

_HERE = str(Path(__file__).parent.parent)
_TEMPLATES = str(Path(_HERE, "templates"))
_LONGEST = 60
_MOST_SAID = 300  # characters of what an error says


class Line(NamedTuple):
    """A line of code that an error passed through.

    Attributes:
        file: where it stands.
        number: from 1.
        function: that it is part of, with its class: `Net.forward`.
    """

    file: str
    number: int
    function: str

    @property
    def place(self) -> str:
        """The file's name and the line."""
        return f"{Path(self.file).name}:{self.number}"

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.number).strip()
        shown = source if len(source) <= _LONGEST else f"{source[:_LONGEST]}..."
        return f"{self.place} `{shown}`" if source else self.place


def is_users(filename: str) -> bool:
    """Whether a file is code that the user wrote, as opposed to ART, installed packages and Python itself.

    What is called `<string>` was written by Python: the `__init__` of a dataclass, such as a step or a check.
    """
    if filename.startswith(_TEMPLATES):
        return True
    if filename.startswith(("<frozen", "<string>", _HERE)) or not {"site-packages", "dist-packages"}.isdisjoint(
        Path(filename).parts
    ):
        return False
    return not any(filename.startswith(place) for place in _installed())


def is_ours(filename: str) -> bool:
    """Whether a file is of ART, but for the projects that it writes for users."""
    return filename.startswith(_HERE) and not filename.startswith(_TEMPLATES)


def users_lines(error: BaseException) -> list[Line]:
    """The lines of the user's that an error, or what it came from, passed through: the last is where it was raised."""
    lines: list[Line] = []
    for one in reversed(list(chain(error))):
        trace = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if is_users(code.co_filename):
                lines.append(Line(code.co_filename, trace.tb_lineno, code.co_qualname.rpartition("<locals>.")[2]))
            trace = trace.tb_next
    return list(dict.fromkeys(lines))


def raised(error: BaseException) -> str:
    """What was raised, in which function of the user's and on which line: one sentence, without a full stop.

    A sentence of ART's own says most of that itself; a function is added where it does not name it.
    """
    said = str(error)
    if isinstance(error, ARTError):
        unnamed = [one for one in _functions(users_lines(error)) if one not in said]
        return f"{said} (in {', '.join(unnamed)})" if unnamed else said
    worker = re.match(r"Caught (\w+) in (DataLoader worker process \d+)\.", said)
    if worker is not None:  # torch raises it again from the text that another process sent
        lines = _of_traceback(said)
        told = re.search(rf"^(?:\w+\.)*{worker[1]}(: .*)?$", said, re.MULTILINE)
        said = f"in {worker[2]}, {told[0] if told else worker[1]}"
    else:
        lines = users_lines(error)
        first = said.strip().partition("\n")[0]
        said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    short = said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}..."
    return f"{short}, in {', '.join(_functions(lines))} at {lines[-1]}" if lines else short


def _functions(lines: list[Line]) -> list[str]:
    """The first, which is the hook that was called, and the last, which raised."""
    return list(dict.fromkeys(one.function for one in (*lines[:1], *lines[-1:])))


def _of_traceback(text: str) -> list[Line]:
    """The user's lines of a traceback that was sent as text."""
    found = re.findall(r'File "(.+?)", line (\d+), in (\S+)', text)
    return [Line(file, int(number), function) for file, number, function in found if is_users(file)]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, each once."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, None if current.__suppress_context__ else current.__context__]


def fold(error: BaseException) -> None:
    """Take ART's frames out of the traceback of `error` and of what it came from, in place.

    A mistake of the user's is told by its sentence: there the engine's frames go too, wherever the user's are.
    """
    mistake = isinstance(error, UsageError)
    for one in chain(error):
        one.__traceback__ = _folded(one.__traceback__, is_users if mistake else lambda name: not is_ours(name))


def folding(function: Callable[P, R]) -> Callable[P, R]:
    """Let what a function raises show the caller's own frames and not those of ART, nor this one."""

    @wraps(function)
    def folded(*args: P.args, **keywords: P.kwargs) -> R:
        try:
            return function(*args, **keywords)
        except BaseException as error:
            fold(error)
            raise

    return folded


def _folded(trace: TracebackType | None, keep: Callable[[str], bool]) -> TracebackType | None:
    frames: list[TracebackType] = []
    while trace is not None:
        if keep(trace.tb_frame.f_code.co_filename):
            frames.append(trace)
        trace = trace.tb_next
    folded: TracebackType | None = None
    for frame in reversed(frames):
        folded = TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return folded


@cache
def _installed() -> tuple[str, ...]:
    """The folders of Python and of commands such as `art`."""
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "scripts")
    return tuple({paths[name] for name in names} | {str(Path(sys.executable).parent)})
