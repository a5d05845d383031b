"""What a project can be made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Template:
    """A template of copier, with what it is told.

    Attributes:
        source: the folder that holds `copier.yml`, or the address of a git repository.
        about: what a project of it does, in a few words, for `art new --list`.
        answers: what its questions are answered with, unless the user says otherwise.
        asks: whether the other questions are put to whoever sits at the terminal; else they get their defaults.
        name: how it is called among the templates that are offered; empty where it was named by its place.
    """

    source: str | Path
    about: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    asks: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", MappingProxyType(dict(self.answers)))

    def __str__(self) -> str:
        return self.name or str(self.source)
