"""Whether an environment is fit for training: one small probe a question, answered as rows."""

import json
import platform
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from art_training.errors import StoreError
from art_training.records.counted import counted

_SECONDS_TO_IMPORT = 120.0
_SECONDS_TO_CHECK = 20.0
_ROOM = 1 << 30
_TORCH = """
import torch
found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
mps = torch.backends.mps.is_available()
print(torch.__version__, torch.version.cuda or torch.version.hip or "", "mps" if mps else "", *found, sep="|")
"""
_PLUGINS = """
import json, warnings
warnings.simplefilter("ignore")
from art_training.views.extensions import extension_rows
rows = extension_rows(others=True)
print()
print(json.dumps([(f"{row.group[:-1]} {row.name}", row.problem) for row in rows if row.problem]))
"""


class State(StrEnum):
    """How a probe ended."""

    OK = "ok"
    NOTE = "note"  # good to know; nothing need be done
    WARNING = "warning"  # works, with a risk that one should know
    PROBLEM = "problem"  # does not work, or must not be used


@dataclass(frozen=True)
class ProbeRow:
    """What one probe found.

    Attributes:
        name: what was looked at.
        state: how it ended.
        what: what was found.
        remedy: what to do; empty where nothing need be done.
    """

    name: str
    state: State
    what: str
    remedy: str = ""


class Attempt(NamedTuple):
    """An attempt to import something in a process of its own, where a crash hurts nobody."""

    worked: bool
    output: str = ""
    error: str = ""

    @property
    def last(self) -> str:
        """The last line of the error, which says what it was."""
        return next((line.strip() for line in reversed(self.error.splitlines()) if line.strip()), "it says nothing")


def examine(folder: Path) -> tuple[ProbeRow, ...]:
    """Ask every question about this environment. Takes as long as importing torch.

    Args:
        folder: where a project lives or will live; its store is the one of `ART_STORE`, or is looked for there.
    """
    from art_training.stores.mounts import network_file_system
    from art_training.stores.where import database_file

    store = database_file(folder)
    place = nearest_folder(folder if store is None else store)
    return (
        python_row(sys.version_info[:3]),
        torch_row(attempt(_TORCH)),
        torchvision_row(installed("torchvision"), installed("torch"), attempt("import torchvision")),
        lightning_row("lightning", installed("lightning")),
        *([lightning_row("pytorch-lightning", other)] if (other := installed("pytorch-lightning")) else []),
        sqlite_row(sqlite3.sqlite_version),
        writable_row(place),
        file_system_row(place, network_file_system(place)),
        room_row(place, shutil.disk_usage(place).free),
        plugins_row(*_others()),
        *([] if store is None else [store_row(store)]),
    )


def python_row(running: tuple[int, int, int]) -> ProbeRow:
    """The interpreter."""
    text = ".".join(map(str, running))
    if running < (3, 11):
        return ProbeRow("Python", State.PROBLEM, f"{text} is too old", "use Python 3.11 or later")
    return ProbeRow("Python", State.OK, f"{text} on {platform.system()} {platform.machine()}")


def torch_row(tried: Attempt) -> ProbeRow:
    """Torch and what it can compute on."""
    if not tried.worked:
        return ProbeRow(
            "torch",
            State.PROBLEM,
            f"does not import: {tried.last}",
            "install it again: pip install --force-reinstall torch",
        )
    release, cuda, mps, *devices = tried.output.strip().splitlines()[-1].split("|")
    if devices:
        return ProbeRow("torch", State.OK, f"{release} with {', '.join(devices)}")
    if mps:
        return ProbeRow("torch", State.OK, f"{release} with Apple's GPU")
    if cuda:
        return ProbeRow(
            "torch",
            State.NOTE,
            f"{release} is built for an accelerator ({cuda}), but finds none: training uses the processor",
            "where there should be one, see whether `nvidia-smi` finds it and whether its driver is recent enough",
        )
    return ProbeRow("torch", State.OK, f"{release} for the processor alone")


def torchvision_row(vision: str | None, torch: str | None, tried: Attempt) -> ProbeRow:
    """Torchvision, whose compiled half must be of the same build as torch. A broken one breaks Lightning, too."""
    if vision is None:
        return ProbeRow("torchvision", State.OK, "not installed; ART does not need it")
    if tried.worked:
        return ProbeRow("torchvision", State.OK, f"{vision} fits torch {torch}")
    if re.search(
        r"torchvision::\w+|undefined symbol|lib(cuda|c10|torch)\w*\.so|C\+\+ ops|DLL load failed", tried.error
    ):
        return ProbeRow(
            "torchvision",
            State.PROBLEM,
            f"{vision} is built for another torch than {torch}, and breaks `import lightning`: {tried.last}",
            "install both from one index (https://pytorch.org/get-started/locally), or: pip uninstall torchvision",
        )
    return ProbeRow(
        "torchvision",
        State.PROBLEM,
        f"{vision} does not import, which breaks `import lightning`: {tried.last}",
        "mend it, or: pip uninstall torchvision",
    )


def lightning_row(name: str, release: str | None) -> ProbeRow:
    """Lightning, two releases of which were malware and whose older ones run code that a checkpoint brings."""
    if release is None:
        return ProbeRow(name, State.PROBLEM, "is not installed", "pip install 'lightning>=2.6.6'")
    numbers = numbers_of(release)
    if numbers in {(2, 6, 2), (2, 6, 3)}:
        return ProbeRow(
            name,
            State.PROBLEM,
            f"{release} is malware that was published in Lightning's name",
            f"disconnect; pip uninstall {name}; renew every password, key and token that this machine has seen",
        )
    if numbers < (2, 6, 6):
        return ProbeRow(
            name,
            State.WARNING,
            f"in {release}, load_from_checkpoint may run code that a checkpoint of somebody else brings",
            f"pip install --upgrade '{name}>=2.6.6', or load only checkpoints that you made (ART does)",
        )
    return ProbeRow(name, State.OK, release)


def sqlite_row(release: str) -> ProbeRow:
    """SQLite, which before 3.51.3 may lose pages when a checkpoint meets the reset of a write-ahead log."""
    if numbers_of(release) >= (3, 51, 3):
        return ProbeRow("SQLite", State.OK, release)
    return ProbeRow(
        "SQLite",
        State.NOTE,
        f"{release} has the WAL-reset fault (https://sqlite.org/wal.html#walresetbug), which ART works around",
        "let no other program write to ART's database",
    )


def writable_row(folder: Path) -> ProbeRow:
    """Whether the store can be written."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        return ProbeRow(
            "folder",
            State.PROBLEM,
            f"{folder} cannot be written: {error.strerror or error}",
            "change its permissions, or set ART_STORE to a path that you may write",
        )
    return ProbeRow("folder", State.OK, f"{folder} can be written")


def file_system_row(folder: Path, network: str) -> ProbeRow:
    """Whether write-ahead logging works there, which needs memory that all processes share.

    Args:
        folder: where the store is or will be.
        network: the kind of network file system it lies on; empty where it is none.
    """
    if network:
        return ProbeRow(
            "file system",
            State.WARNING,
            f"{folder} is on {network}, a network file system, where write-ahead logging is not safe: "
            "ART uses SQLite's slower journal there",
            "set ART_STORE to a path on a local disk",
        )
    return ProbeRow("file system", State.OK, "local: write-ahead logging works")


def plugins_row(offered: int, tried: Attempt | None) -> ProbeRow:
    """What other distributions offer.

    Args:
        offered: how many extensions.
        tried: an attempt to list those of them that are left out, a JSON list of pairs of name and reason; None where none is offered.
    """
    if tried is None:
        return ProbeRow("plug-ins", State.OK, "none but what ART ships")
    if not tried.worked:
        return ProbeRow(
            "plug-ins",
            State.PROBLEM,
            f"one of {offered} ends the process that imports it: {tried.last}",
            "art plugins --others",
        )
    wrong: list[tuple[str, str]] = json.loads(tried.output.strip().splitlines()[-1])
    if not wrong:
        return ProbeRow("plug-ins", State.OK, f"{counted(offered, 'extension')} of other distributions")
    names = ", ".join(name for name, _ in wrong)
    return ProbeRow(
        "plug-ins",
        State.WARNING,
        f"{len(wrong)} of {counted(offered, 'extension')} left out: {names}; {wrong[0][1]}",
        "`art plugins --others` says what is wrong with each",
    )


def _others() -> tuple[int, Attempt | None]:
    from art_training.plugins import GROUPS, extensions

    offered = sum(not one.is_own for group in GROUPS for one in extensions(group))
    return offered, attempt(_PLUGINS) if offered else None


def room_row(folder: Path, free: int) -> ProbeRow:
    """Whether checkpoints will find room.

    Args:
        folder: where the store is or will be.
        free: bytes.
    """
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < _ROOM:
        return ProbeRow("room", State.WARNING, text, "`art gc` frees checkpoints that no run needs")
    return ProbeRow("room", State.OK, text)


def store_row(path: Path) -> ProbeRow:
    """The store, if there is one yet."""
    if not path.is_file():
        return ProbeRow("store", State.OK, f"none in {path.parent} yet; `art run` makes it")
    from art_training.stores.sql import SqlStore

    try:
        store = SqlStore(path, read_only=True)
    except StoreError as error:
        return ProbeRow("store", State.PROBLEM, str(error))
    store.close()
    row = _pages_row(path)
    if row.state is State.OK and store.notes:
        return ProbeRow("store", State.NOTE, "; ".join(store.notes))
    return row


def _pages_row(path: Path) -> ProbeRow:
    """Whether every page of the database is as SQLite wrote it; to open it, SQLite reads the first few alone."""
    from art_training.stores.sqlite import corrupt

    until = time.monotonic() + _SECONDS_TO_CHECK
    try:
        said = _checked(path, until)
    except sqlite3.DatabaseError as error:
        if time.monotonic() <= until:
            return ProbeRow("store", State.PROBLEM, str(corrupt(path, str(error))))
        return ProbeRow(
            "store",
            State.NOTE,
            f"{path} opens; it is too large to be checked whole within {_SECONDS_TO_CHECK:.0f} s",
            f"to check it whole: sqlite3 {shlex.quote(str(path))} 'PRAGMA quick_check'",
        )
    if said != "ok":
        return ProbeRow("store", State.PROBLEM, str(corrupt(path, said)))
    return ProbeRow("store", State.OK, f"{path} is sound")


def _checked(path: Path, until: float) -> str:
    """What SQLite says of its pages, without writing. In a folder that may not be written the file is read as it is."""
    for mode in ("ro", "ro&immutable=1"):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
            try:
                return " ".join(str(connection.execute("PRAGMA quick_check(1)").fetchone()[0]).split())
            except sqlite3.OperationalError as error:
                if mode != "ro" or not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                    raise
    raise AssertionError("unreachable")


def attempt(code: str) -> Attempt:
    """Run some lines in a fresh interpreter."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_SECONDS_TO_IMPORT, check=False
        )
    except subprocess.TimeoutExpired:
        return Attempt(False, error=f"it took longer than {_SECONDS_TO_IMPORT:.0f} s")
    return Attempt(done.returncode == 0, done.stdout, done.stderr)


def installed(distribution: str) -> str | None:
    """The installed version of a distribution."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def nearest_folder(path: Path) -> Path:
    """The deepest folder above `path` that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def numbers_of(release: str) -> tuple[int, int, int]:
    """The leading three numbers of a version; a release candidate counts as its release."""
    found = [int(number) for number in re.findall(r"\d+", release.split("+", maxsplit=1)[0])[:3]]
    first, second, third = [*found, 0, 0, 0][:3]
    return first, second, third
