"""A standard: what a team or a community asks of every record."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from art_training.errors import UsageError
from art_training.standards.requirement import Requirement
from art_training.standards.steps import require_count, require_text


@dataclass(frozen=True)
class Standard:
    """A named, versioned set of requirements that a project can be held to.

    Take over another one's requirements with `requires=[*karpathy.requires, Seeds(5)]`.

    Attributes:
        name: e.g. `lab-2026`.
        version: raise it when the requirements change; the digest changes by itself.
        requires: what it asks, in the order in which a reader should meet it.
        about: what it is for, in a sentence or two.
        at_least: the score that is asked for, where requirements count points: the smallest of the sums of the sections;
            None: points are told and decide nothing.

    Raises:
        UsageError: it asks nothing, or the same twice, or something is not what it should be.
    """

    name: str
    version: int = 1
    requires: Sequence[Requirement] = ()
    about: str = ""
    at_least: float | None = None

    def __post_init__(self) -> None:
        require_text("name", self.name, "lab-2026")
        require_count("version", self.version)
        given = cast("Iterable[Any]", self.requires)
        if isinstance(given, Requirement) or not isinstance(given, Iterable):
            raise UsageError(
                f"requires={given!r} of standard {self.name!r} is no list; write requires=[StepPassed('Overfit')]"
            )
        object.__setattr__(self, "requires", tuple(given))
        for one in cast("tuple[Any, ...]", self.requires):
            if not isinstance(one, Requirement):
                hint = f"{one.__name__}(...)" if isinstance(one, type) else "StepPassed('Overfit')"
                raise UsageError(
                    f"standard {self.name!r} requires {one!r}, which is no requirement; give one, e.g. {hint}"
                )
        if not self.requires:
            raise UsageError(f"standard {self.name!r} requires nothing; give requires=[StepPassed('Overfit')]")
        keys = [one.key for one in self.requires]
        twice = next((key for key in keys if keys.count(key) > 1), "")
        if twice:
            raise UsageError(f"standard {self.name!r} requires {twice} twice; leave one of them out")
        self._require_score()

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.name}, version {self.version}"

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that it asks: two that read alike and ask otherwise differ in it."""
        asked = {
            "name": self.name,
            "version": self.version,
            "requires": [dict(one.configuration) for one in self.requires],
            "at_least": self.at_least,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def _require_score(self) -> None:
        asked: Any = self.at_least
        if asked is None:
            if not any(one.decides for one in self.requires):
                raise UsageError(
                    f"standard {self.name!r} only counts points, so that nothing decides; give at_least=0.5, or another score"
                )
            return
        if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked > 0:
            raise UsageError(f"at_least={asked!r} of standard {self.name!r} is no score above 0; give at_least=0.5")
        if not any(one.section for one in self.requires):
            raise UsageError(
                f"at_least={asked!r} of standard {self.name!r} asks for a score, and no requirement has points"
            )
