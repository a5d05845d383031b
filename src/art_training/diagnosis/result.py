"""What a diagnosis came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from art_training.errors import DiagnosisError
from art_training.records import Finding, Severity

if TYPE_CHECKING:
    from art_training.probes.glimpse import Glimpse

Status = Literal["healthy", "findings", "inconclusive"]
State = Literal["passed", "finding", "not judged", "not applicable", "ignored"]

_ENOUGH = 0.5  # of the rules that find errors; where fewer could judge, little is known of the setup


@dataclass(frozen=True)
class Judged:
    """How one rule ended.

    Attributes:
        code: of the rule.
        name: of the rule.
        state: `passed`: it looked, and found nothing; `finding`; `not judged`: it concerns the setup and could not tell;
            `not applicable`: the setup has nothing that it is about, or a declaration settles it; `ignored`.
        reason: why it was not judged or does not apply, or the user's reason to ignore it.
        matters: whether what the rule finds is an error.
    """

    code: str
    name: str
    state: State
    reason: str = ""
    matters: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a setup.

    Attributes:
        subject: what was diagnosed, in a few words.
        findings: the worst first; symptoms of a finding are not among them.
        symptoms: by the code of the finding that explains them.
        judged: how each rule ended.
        stages: seconds of each stage.
        broken: what could not be done, what was raised there, and where; empty where nothing was.
        place: file and line where the model is defined; empty where that is not known.
        seen: what enters the network, what predictions depend on and the learning rates to come; None where it could not
            be laid out.
    """

    subject: str
    findings: tuple[Finding, ...] = ()
    symptoms: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict[str, tuple[Finding, ...]])
    judged: tuple[Judged, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict[str, float])
    broken: str = ""
    place: str = ""
    seen: "Glimpse | None" = None

    @property
    def status(self) -> Status:
        """`findings` where an error or a warning was found; `inconclusive` where too little could be judged."""
        if any(one.severity is not Severity.INFO for one in self.findings):
            return "findings"
        return "inconclusive" if self.inconclusive else "healthy"

    @property
    def inconclusive(self) -> str:
        """Why nothing found does not mean healthy, in one sentence; empty where it does.

        A stage could not be gone through, or most of the rules that find errors and concern the setup could not judge.
        """
        if self.broken:
            return self.broken
        matter = [one for one in self.judged if one.matters and one.state not in {"ignored", "not applicable"}]
        unjudged = [one for one in matter if one.state == "not judged"]
        if matter and len(unjudged) > (1 - _ENOUGH) * len(matter):
            return f"{len(unjudged)} of the {len(matter)} rules that find errors could not judge"
        return ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as all rules that matter could tell."""
        return self.status == "healthy"

    def raise_for_findings(self) -> None:
        """Raise unless the setup is healthy.

        Raises:
            DiagnosisError: with the account as its message.
        """
        if not self.ok:
            raise DiagnosisError(str(self))

    def __str__(self) -> str:
        """A readable account, the worst first."""
        from art_training.diagnosis.account import account

        return account(self)
