"""Which files, folders and networks a piece of code opened, seen through Python's audit events.

An audit hook cannot be removed. One is installed when it is first needed, and looks away unless something is recorded.
"""

import inspect
import os
import sys
import sysconfig
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".pth", ".egg-link", ".zip.py")
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_UNTRACKED = {
    "socket.connect": "a network connection was opened",
    "socket.getaddrinfo": "a network address was looked up",
    "subprocess.Popen": "another program was started",
    "os.system": "another program was started",
    "os.posix_spawn": "another program was started",
    "os.exec": "another program was started",
}
_LISTED = frozenset({"os.listdir", "os.scandir"})


@dataclass
class Opened:
    """What was opened while this was recorded.

    Attributes:
        files: absolute paths of files that were opened.
        folders: absolute paths of folders that were listed.
        reasons: why what was read cannot be told from files alone, in words.
    """

    files: dict[str, None] = field(default_factory=dict[str, None])
    folders: dict[str, None] = field(default_factory=dict[str, None])
    reasons: dict[str, None] = field(default_factory=dict[str, None])


_recording: list[Opened] = []
_installed: list[bool] = []


@contextmanager
def recorded() -> Generator[Opened]:
    """Record what is opened inside the block, by any thread of this process."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    opened = Opened()
    _recording.append(opened)
    try:
        yield opened
    finally:
        _recording.remove(opened)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _recording:
        return
    if event == "open":
        _note(arguments[0], "files")
    elif event in _LISTED:
        # The import system lists the folders that it looks for modules in.
        if not _caller().startswith("<frozen"):
            _note("." if arguments[0] is None else arguments[0], "folders")
    elif event == "sqlite3.connect":
        _note(arguments[0], "files")
    elif event in _UNTRACKED:
        for opened in _recording:
            opened.reasons[_UNTRACKED[event]] = None


def _caller() -> str:
    """The file of the code that caused an audit event."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame else None
    return frame.f_code.co_filename if frame else ""


def _note(path: Any, kind: str) -> None:
    # Whatever happens in here must not reach the code that is watched: an audit hook that raises aborts the operation.
    if isinstance(path, int):
        return
    try:
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  Links are kept; a hook should be quick.
    except (TypeError, ValueError, OSError):
        return
    if text.endswith(_CODE) or text.startswith(_SYSTEM) or (kind == "folders" and _is_library(text)):
        return
    for opened in _recording:
        getattr(opened, kind)[text] = None


def _is_library(folder: str) -> bool:
    return "site-packages" in folder or "dist-packages" in folder or folder.startswith(_STANDARD)


_STANDARD = tuple({path for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))})
