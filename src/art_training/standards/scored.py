"""A requirement that counts points for a section instead of deciding alone."""

from dataclasses import dataclass

from art_training.errors import UsageError
from art_training.records import Plain
from art_training.standards.record import Record
from art_training.standards.requirement import Answer, Requirement, not_covered
from art_training.standards.steps import require_text


@dataclass(frozen=True)
class Scored(Requirement):
    """A test of a rubric: where the record supports it, it counts its points for its section.

    It does not decide by itself: `Standard(at_least=...)` asks for a score, the smallest of the sums of the sections.

    Attributes:
        part: the section.
        test: what is tested, in words.
        by: what of a record supports it; None: no record can, and it is named as not covered.
        worth: points where it is met.
        needs: where `by` is None, what would have to be shown, in words.
    """

    part: str
    test: str
    by: Requirement | None = None
    worth: float = 0.5
    needs: str = ""

    def __post_init__(self) -> None:
        require_text("part", self.part, "Data")
        require_text("test", self.test, "training can be repeated")
        if self.by is not None and not isinstance(self.by, Requirement):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"by={self.by!r} is no requirement; give one, such as StepPassed('Tune'), or None")
        if isinstance(self.worth, bool) or not isinstance(self.worth, int | float) or not self.worth > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"worth={self.worth!r} is no number of points above 0; give worth=0.5")

    @property
    def key(self) -> str:
        """The section and the test."""
        return f"{self.part}: {self.test}"

    @property
    def section(self) -> str:
        """The section."""
        return self.part

    @property
    def points(self) -> float:
        """What it is worth."""
        return self.worth

    @property
    def decides(self) -> bool:
        """It never does."""
        return False

    @property
    def configuration(self) -> dict[str, Plain]:
        """With what supports it."""
        by = None if self.by is None else dict(self.by.configuration)
        own: dict[str, Plain] = {"part": self.part, "test": self.test, "worth": self.worth, "needs": self.needs}
        return {"requirement": type(self).__name__, **own, "by": by}

    def judge(self, record: Record) -> Answer:
        """What supports it answers."""
        return not_covered(self.needs or "no record tells of it") if self.by is None else self.by.judge(record)
