"""Whether what watched a step found nothing wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.values import settle
from art_training.errors import CheckError
from art_training.records import Outcome, Reading

HEALTH = "health"  # the reading in which a step, or what watched it, tells what each rule said of each training


@dataclass(frozen=True)
class Healthy(Check):
    """No rule of the diagnosis found an error or a warning in what the step trained.

    Every training of a project is watched at a few of its batches: losses, gradients and weights that are not finite,
    gradients that vanish. Which rules that are is told by `art rules`. In the step `Diagnose` the check speaks of all rules.

    Steps that try settings, such as Tune, may try one that goes wrong on purpose; name the trainings that shall be healthy
    by their label.

    Attributes:
        ignore: codes of rules whose findings do not count, such as `("ART911",)`.
        trainings: a pattern of labels, of the trainings that are asked about: `"final*"`.
    """

    ignore: Sequence[str] = ()
    trainings: str = "*"

    def __post_init__(self) -> None:
        given: Any = self.ignore
        if isinstance(given, str) or not all(isinstance(one, str) for one in given):
            raise CheckError(f"ignore={given!r} is no sequence of codes; give ignore=('ART911',)")
        if not isinstance(cast("Any", self.trainings), str):
            raise CheckError(f"trainings={self.trainings!r} is no pattern; give trainings='*'")
        settle(self, ignore=tuple(given))

    @property
    def title(self) -> str:
        """In words."""
        return "healthy"

    def judge(self, evidence: Evidence) -> Answer:
        """Look at what each rule said of each training."""
        reading = evidence.outcome.reading(HEALTH)
        if reading is None or not isinstance(reading.value, Mapping):
            return not_judged(f"nothing watched step {evidence.step}: it trains nothing")
        watched = cast("Mapping[str, Mapping[str, Any]]", reading.value)
        asked = {name: one for name, one in watched.items() if fnmatchcase(name, self.trainings)}
        if not asked:
            return not_judged(f"no training is called {self.trainings!r}; there are: {', '.join(watched)}")
        found = [
            (name, code, told)
            for name, one in asked.items()
            for code, told in one["found"].items()
            if code not in self.ignore
        ]
        count = sum(len(one["passed"]) for one in asked.values())
        if found:
            return failed(_worst(found, several=len(watched) > 1), findings=len(found), passed=count)
        broken = next(
            (f"{name} could not be gone through: {one['broken']}" for name, one in asked.items() if one["broken"]), ""
        )
        if broken or not count:
            return not_judged(broken or "no rule could judge: " + _reasons(asked))
        told = "nothing wrong was found"
        return passed(f"healthy: {told} by {count} {'rule' if count == 1 else 'rules'}", findings=0, passed=count)


def _worst(found: list[tuple[str, str, Mapping[str, str]]], *, several: bool) -> str:
    """The first of the worst, and how many more there are."""
    name, code, told = min(found, key=lambda one: one[2]["severity"] != "error")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    where = f" in {name}" if several else ""
    return f"not healthy{where}: {code}: {told['message']}{more}; {told['remedy']}"


def _reasons(watched: Mapping[str, Mapping[str, Any]]) -> str:
    reasons = dict.fromkeys(reason for one in watched.values() for reason in one["not judged"].values())
    return "; ".join(reasons) or "there was none"


def _outcome(found: str = "", broken: str = "", passes: tuple[str, ...] = ("ART901",)) -> Evidence:
    told = {"severity": "error", "message": "the loss was nan at step 7", "remedy": "lower the learning rate"}
    one: dict[str, Any] = {
        "passed": list(passes),
        "found": {found: told} if found else {},
        "not judged": {} if passes else {"ART901": "no step was taken"},
        "broken": broken,
    }
    return Evidence("Overfit", Outcome(readings=(Reading(HEALTH, {"training": one}),)))


Healthy.PASSES = (
    (Healthy(), _outcome()),
    (Healthy(ignore=("ART910",)), _outcome("ART910")),
)
Healthy.FAILS = (
    (Healthy(), _outcome("ART910")),
    (Healthy(trainings="train*"), _outcome("ART910", broken="to train: it raised")),
)
Healthy.NOT_JUDGED = (
    (Healthy(), Evidence("ExploreData", Outcome())),
    (Healthy(), _outcome(broken="to train: it raised")),
    (Healthy(), _outcome(passes=())),
    (Healthy(trainings="final"), _outcome()),
)
