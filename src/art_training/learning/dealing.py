"""Deals a project with a fault in it, and keeps which one it is where it is not read by accident."""

import base64
import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from art_training.errors import UsageError
from art_training.learning.faults import FAULTS, Fault

SEALED = ".art-learn"
_PROJECT = Path(__file__).parent / "project"


@dataclass(frozen=True)
class Dealt:
    """What was dealt into a folder.

    Attributes:
        fault: name of the fault.
        tries: answers that were given so far.
        before: names of the faults that were dealt into this folder before, oldest first.
    """

    fault: str
    tries: int = 0
    before: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What was dealt into a folder.

        Raises:
            UsageError: nothing was.
        """
        try:
            told = json.loads(zlib.decompress(base64.b85decode((folder / SEALED).read_bytes())))
            return cls(fault_called(told["fault"]).name, int(told["tries"]), tuple(told["before"]))
        except (OSError, ValueError, LookupError, TypeError, zlib.error):
            raise UsageError(
                f"no broken project was dealt into {folder}: {SEALED} is missing there, or was changed; "
                "`art learn --broken FOLDER` deals one"
            ) from None

    def write(self, folder: Path) -> None:
        """Keep it in the folder."""
        (folder / SEALED).write_bytes(base64.b85encode(zlib.compress(json.dumps(asdict(self)).encode())))


def deal(folder: Path, chance: random.Random | None = None) -> Path:
    """Write a project with one fault into a folder; of a folder that was dealt into before, another one.

    Args:
        folder: is made where it is missing.
        chance: draws the fault; by default anew each time.

    Raises:
        UsageError: something else is in the folder, or it cannot be written.
    """
    before: tuple[str, ...] = ()
    if (folder / SEALED).exists():
        last = Dealt.read(folder)
        before = (*last.before, last.fault)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and holds something else; name a folder that is new or empty")
    fault = (chance or random.SystemRandom()).choice(_left(before))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in project(fault).items():
            (folder / name).write_text(text, encoding="utf-8")
        Dealt(fault.name, 0, before).write(folder)
    except OSError as error:
        raise UsageError(
            f"the project cannot be written into {folder}: {error.strerror}; name another folder"
        ) from error
    return folder


def project(fault: Fault | None = None) -> dict[str, str]:
    """The files of the project by name, with a fault or without."""
    files = {file.name: file.read_text(encoding="utf-8") for file in sorted(_PROJECT.glob("*.py"))}
    if fault is not None:
        files[fault.file] = files[fault.file].replace(fault.right, fault.wrong)
    return files


def lines_of(fault: Fault) -> range:
    """The lines of its file, from 1, in which a fault stands."""
    whole = project()[fault.file]
    right, wrong = fault.right.splitlines(), fault.wrong.splitlines()
    same = 0
    while same < min(len(right), len(wrong)) and right[same] == wrong[same]:
        same += 1
    end = 0
    while end < min(len(right), len(wrong)) - same and right[-1 - end] == wrong[-1 - end]:
        end += 1
    first = whole[: whole.index(fault.right)].count("\n") + 1 + same
    return range(first, first + max(len(wrong) - same - end, 1))


def fault_called(name: str) -> Fault:
    """The fault of this name.

    Raises:
        KeyError: there is none.
    """
    return {one.name: one for one in FAULTS}[name]


def _left(before: Sequence[str]) -> list[Fault]:
    """Those that were not dealt yet; all but the last, once all were."""
    fresh = [one for one in FAULTS if one.name not in before]
    return fresh or [one for one in FAULTS if one.name != before[-1]]
