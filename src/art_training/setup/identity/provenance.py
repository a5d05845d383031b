"""Where and with what a run is made."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from art_training.records import Provenance
from art_training.setup.identity.secrets import mask, mask_command

_DIFF_CHARACTERS = 2**20
_GIT_SECONDS = 10


def collect(
    *,
    command: Sequence[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    data_digest: str = "",
    seeds: Mapping[str, int] | None = None,
) -> Provenance:
    """What can be told of this process, its machine and the repository around `folder`. Never raises.

    Args:
        command: the command line; what was typed to start this process by default.
        folder: where the project lies.
        data_digest: digest of the data.
        seeds: every seed that is set, by name.
    """
    here = Path(folder).absolute()
    commit, dirty, difference = _repository(here)
    return Provenance(
        command=mask_command(_typed() if command is None else command),
        folder=str(here),
        host=socket.gethostname(),
        python=platform.python_version(),
        versions=installed_versions(),
        hardware={**_machine(), **_accelerators()},
        git_commit=commit,
        git_dirty=dirty,
        git_diff=difference,
        data_digest=data_digest,
        seeds=dict(seeds or {}),
    )


@cache
def installed_versions() -> Mapping[str, str]:
    """Version of every installed distribution; the first on the path is the one that is imported.

    Names and versions are read off the folders that installers leave. Reading each one's metadata takes ten times as long.
    """
    found: dict[str, str] = {}
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry or "."))  # noqa: PTH208  Entries may be files, and need not exist.
        except OSError:
            continue
        for name in names:
            distribution, dash, version = name.removesuffix(".dist-info").partition("-")
            if dash and name.endswith(".dist-info"):
                found.setdefault(distribution.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))


def _typed() -> list[str]:
    """What was typed: with the interpreter and its options, but for a script that an installer put beside it.

    The system hands such a script to the interpreter by its path, where the shell had found it by its name.
    """
    words = list(sys.orig_argv) or list(sys.argv)
    script = Path(words[1]) if len(words) > 1 else Path()
    if not script.is_file() or script.parent.resolve() != Path(sys.executable).parent.resolve():
        return words
    found = shutil.which(script.name)
    by_name = script.is_absolute() and found is not None and script.samefile(found)
    return [script.name if by_name else str(words[1]), *words[2:]]


@cache
def _machine() -> Mapping[str, Any]:
    return {
        "processors": os.cpu_count(),
        "usable_processors": _usable_processors(),
        "processor": _processor(),
        "memory_bytes": _memory(),
        "system": platform.platform(),
    }


def _usable_processors() -> int | None:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no such thing on this system
        return None


def _accelerators() -> Mapping[str, Any]:
    """Devices that torch sees. It is not imported to be asked, and no device is woken up."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    try:
        if torch.cuda.is_available():
            properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
            devices = [{"name": device.name, "memory_bytes": device.total_memory} for device in properties]
            return {"accelerators": devices, "cuda": torch.version.cuda or torch.version.hip}
        if torch.backends.mps.is_available():
            return {"accelerators": [{"name": "Apple MPS"}]}
    except (AttributeError, RuntimeError, AssertionError):  # a driver that does not fit, or torch half imported
        return {}
    return {}


def _repository(folder: Path) -> tuple[str, bool, str]:
    """Commit, whether tracked files differ from it, and how; untracked sources by name."""
    status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal")
    if status is None:
        return "", False, ""
    lines = status.splitlines()
    commit = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
    commit = "" if commit == "(initial)" else commit
    tracked = [line for line in lines if line[:2] in {"1 ", "2 ", "u "}]
    untracked = [line[2:] for line in lines if line.startswith("? ")]
    if not tracked and not untracked:
        return commit, False, ""
    text = (_git(folder, "diff", "--no-color", "--no-ext-diff", "HEAD") or "") if tracked and commit else ""
    if untracked:
        text += "untracked files:\n" + "".join(f"  {name}\n" for name in untracked)
    return commit, bool(tracked), mask(_shortened(text))


def _shortened(text: str) -> str:
    if len(text) <= _DIFF_CHARACTERS:
        return text
    end = f"[{len(text)} characters in all; the rest is left out]\n"
    # Cut between lines: half a secret might not be recognised as one.
    return text[: text.rfind("\n", 0, _DIFF_CHARACTERS - len(end)) + 1] + end


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where there is no git, no repository, or no answer in time."""
    # Optional locks would let a mere look at the repository get in the way of the user's own commands.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace") if answer.returncode == 0 else None
