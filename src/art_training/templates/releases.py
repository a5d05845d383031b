"""Projects of ART's own templates: what a later release has changed in them comes into the project."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from art_training import __version__
from art_training.errors import UsageError
from art_training.templates.finding import find_template
from art_training.templates.rendering import ANSWERS, render
from art_training.templates.template import Template

_DISTRIBUTION = "art-training"
_INSIDE = "art_training/templates/project/"
_OURS = ("art_template", "art_version")


def update_shipped(folder: Path, kept: Mapping[str, Any], answers: Mapping[str, str]) -> list[str]:
    """Bring what has changed in ART's own template since the release that the project was made with.

    That release is fetched once more by pip, since only a third text tells what its owner has changed from what ART has. What
    both have changed is marked in the file, as git marks it.

    Args:
        folder: of the project.
        kept: what its answers say.
        answers: that shall be others than they were.

    Raises:
        UsageError: the project was made with a newer ART, has changes that are not committed, or the release cannot be fetched.
    """
    kind, before = str(kept["art_template"]), str(kept.get("art_version", ""))
    if before == __version__ and not answers:
        return [f"{folder} is made of the newest version of its template already: that of art-training {before}."]
    _require_older(folder, before)
    _require_committed(folder)
    now = find_template(kind)
    told = {name: str(value) for name, value in kept.items() if name not in _OURS}
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Path(scratch) / "old", Path(scratch) / "new"
        source = now.source if before == __version__ else _fetched(before, Path(scratch))
        render(_of(now, source, before), old, {}, kept=told)
        render(now, new, answers, kept=told)
        notes = list(_merged(folder, old, new))
    return [*notes, f"Updated from {before} to {__version__}: look at it with `git diff`, and commit it."]


def _of(now: Template, source: Path | str, version: str) -> Template:
    return replace(now, source=source, answers={**now.answers, "art_version": version})


def _require_older(folder: Path, before: str) -> None:
    from packaging.version import InvalidVersion, Version

    try:
        newer = Version(before) > Version(__version__)
    except InvalidVersion:
        raise UsageError(f"art_version: {before!r} of {folder / ANSWERS} is no version of art-training") from None
    if newer:
        raise UsageError(
            f"{folder} was made with art-training {before}, and this is {__version__}; update art-training first"
        )


def _require_committed(folder: Path) -> None:
    """See that what an update does can be looked at, and taken back."""
    try:
        state = subprocess.run(
            ["git", "status", "--porcelain", "--", "."], cwd=folder, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise UsageError(f"{folder} cannot be updated without git, which is not installed") from None
    if state.returncode:
        raise UsageError(
            f"{folder} is in no git repository, and an update could not be taken back; begin one: git init"
        )
    if state.stdout.strip():
        raise UsageError(
            f"{folder} has changes that are not committed, and would be mixed with the update; commit them first"
        )


def _fetched(version: str, scratch: Path) -> Path:
    """The template of an earlier release."""
    wanted = f"{_DISTRIBUTION}=={version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    fetched = subprocess.run(
        [*command, "--disable-pip-version-check", "--dest", str(scratch), wanted],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    wheels = list(scratch.glob("*.whl"))
    if fetched.returncode or not wheels:
        said = [line for line in fetched.stderr.splitlines() if line.startswith("ERROR:")]
        raise UsageError(
            f"what has changed since {wanted} cannot be told, for pip cannot fetch it: {(said or ['it says nothing'])[-1]}; PIP_FIND_LINKS "
            "names a folder with its wheel"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(scratch, [name for name in wheel.namelist() if name.startswith(_INSIDE)])
    return scratch / _INSIDE


def _merged(folder: Path, old: Path, new: Path) -> Iterator[str]:
    """Bring each file from what it was to what it is, and tell of those that could not be."""
    for name in sorted(_files(old) | _files(new)):
        mine, theirs = folder / name, new / name
        base = _text(old / name)
        if base == _text(theirs):
            continue
        if not theirs.exists():
            if mine.exists() and _text(mine) == base:
                mine.unlink()
                yield f"{name}: removed, as the template has it no more."
            elif mine.exists():
                yield f"{name}: stays, because it was changed here; the template has it no more."
        elif not mine.exists():
            if base is None:
                mine.parent.mkdir(parents=True, exist_ok=True)
                mine.write_bytes(theirs.read_bytes())
                yield f"{name}: new."
            else:
                yield f"{name}: stays away, as it was removed here."
        elif name == ANSWERS:
            mine.write_bytes(theirs.read_bytes())
        else:
            yield _into(mine, old / name, theirs, name)


def _into(mine: Path, base: Path, theirs: Path, name: str) -> str:
    """Merge three texts; a file that both have added is all conflict."""
    before = mine.read_bytes()
    labels = [option for label in ("yours", "the template as it was", "the template now") for option in ("-L", label)]
    common = base if base.exists() else Path(os.devnull)
    merged = subprocess.run(
        ["git", "merge-file", "-p", *labels, str(mine), str(common), str(theirs)], check=False, capture_output=True
    )
    if merged.returncode < 0 or merged.returncode > 127:
        return f"{name}: stays, because git cannot merge it: {merged.stderr.decode(errors='replace').strip()}"
    if merged.stdout != before:
        mine.write_bytes(merged.stdout)
    if merged.returncode:
        return f"{name}: changed here and in the template; settle what lies between <<<<<<< and >>>>>>>."
    return f"{name}: updated."


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _text(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
