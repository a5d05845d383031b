"""What a rule is: one kind of fault, how it is told, and everything a user may want to know about it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from art_training.records import Finding, Severity
from art_training.rules.laboratory import Laboratory

CATEGORIES = (
    "data", "split", "labels", "preprocessing", "model", "initialization", "loss", "optimizer", "schedule", "mode",
    "metrics", "evaluation", "reproducibility", "transfer", "checkpoint", "numerics",
)  # fmt: skip


class Stage(StrEnum):
    """What a rule needs, from the cheapest on."""

    INSPECT = "inspect"
    PROBE = "probe"
    TRAIN = "train"
    EVALUATE = "evaluate"


Judge: TypeAlias = Callable[["Laboratory"], "Found | Iterable[Found] | None"]


@dataclass(frozen=True)
class Found:
    """What a rule found; the rule adds its code, category and severity.

    Attributes:
        message: one sentence with the numbers.
        evidence: the numbers, by name (plain data).
        remedy: what to change.
        where: module path, file and line, or indices of examples.
        confirmed_by: the experiment that confirmed the cause, with its numbers; empty where none was made.
        severity: another than the rule's own.
        clear: how far beyond doubt it is, from 0 to 1; orders findings of one severity.
    """

    message: str
    evidence: Mapping[str, Any]
    remedy: str
    where: str = ""
    confirmed_by: str = ""
    severity: Severity | None = None
    clear: float = 1.0

    def __post_init__(self) -> None:
        given: Any = self
        for name in ("message", "remedy", "where", "confirmed_by"):
            if not isinstance(getattr(given, name), str):
                raise TypeError(f"{name}={getattr(given, name)!r} of what a rule found is no text")
        if given.severity is not None and not isinstance(given.severity, Severity):
            raise TypeError(f"severity={given.severity!r} of what a rule found is none; give Severity.WARNING, say")


@dataclass(frozen=True)
class Rule:
    """One kind of fault.

    Attributes:
        code: stable, `ART` and three digits, of which the first is the category's; of another distribution, its own letters
            and three digits.
        name: in a few words.
        category: one of `CATEGORIES`.
        severity: of what it finds.
        stage: the first at which it can be judged.
        judge: says what it found; raises NotMeasured where it cannot be told.
        finds: what it finds and how it is told, thresholds and where they come from among it.
        why: why it matters.
        wrong: an example of code.
        right: the same without the fault.
        source: where the fault or the method is described.
        settles: declarations that settle it.
        symptoms: codes of findings that this one explains, and that are told beneath it.
        watches: monitors that must watch the training for it.
        asks: probes that it asks after the training, which must be made before.
        trains: whether it tries trainings of its own, and is judged after the others of its stage, which cost less.
    """

    code: str
    name: str
    category: str
    severity: Severity
    stage: Stage
    judge: Judge
    finds: str
    why: str
    wrong: str
    right: str
    source: str
    settles: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    watches: tuple[type[Any], ...] = ()
    asks: tuple[Callable[[Any], Any], ...] = ()
    trains: bool = False

    def findings(self, laboratory: Laboratory) -> tuple[Finding, ...]:
        """What is found.

        Raises:
            NotMeasured: it cannot be told.
        """
        answer = self.judge(laboratory)
        found = (answer,) if isinstance(answer, Found) else tuple(answer or ())
        told = laboratory.called.told
        return tuple(
            Finding(
                code=self.code,
                category=self.category,
                severity=one.severity or self.severity,
                message=told(one.message),
                evidence=told(dict(one.evidence)),
                remedy=told(one.remedy),
                where=told(one.where),
                confirmed_by=told(one.confirmed_by),
                stage=self.stage.value,
            )
            for one in found
        )


def rule(code: str, name: str, **described: Any) -> Callable[[Judge], Rule]:
    """Make a rule of a function that judges; the arguments are the fields of `Rule`."""

    def made(judge: Judge) -> Rule:
        return Rule(code=code, name=name, judge=judge, **described)

    return made
