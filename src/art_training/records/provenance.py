"""Where and with what a run was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """Where and with what a run was made; secrets are masked before this record exists.

    Attributes:
        command: the command line.
        folder: the working directory.
        host: the machine's name.
        python: version of the interpreter.
        versions: version of every installed distribution, by name.
        hardware: processors, memory in bytes, accelerators, operating system.
        git_commit: the commit that was checked out, or empty outside a repository.
        git_dirty: whether tracked files differed from it.
        git_diff: the difference, at most a megabyte, secrets masked.
        data_digest: digest of the data that the run saw; `unknown` where it could not be told.
        data_note: what the digest looked at, where that was not everything; else empty.
        seeds: every seed that was set, by name.
    """

    command: tuple[str, ...] = ()
    folder: str = ""
    host: str = ""
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    hardware: Mapping[str, Any] = field(default_factory=dict[str, Any])
    git_commit: str = ""
    git_dirty: bool = False
    git_diff: str = ""
    data_digest: str = ""
    data_note: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict[str, int])
