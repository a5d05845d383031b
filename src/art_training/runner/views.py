"""What would be done to a step, given what is there: the question of a plan, and of a run before each step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from art_training.checks import Evidence, judge_all
from art_training.records import Action, Fingerprint, Outcome, PlannedStep, RunRecord, Verdict
from art_training.runner.declared import Declared
from art_training.runner.handed import Handed
from art_training.runner.identity import Identity
from art_training.runner.planning import Wish, plan_step
from art_training.runner.validating import Validation
from art_training.setup.scores.metrics import MetricCalculator
from art_training.steps.prospect import Prospect
from art_training.steps.step import Step
from art_training.stores.codec import dumps


@dataclass(frozen=True)
class View:
    """What would be done to a step, with all that was read to know it.

    Attributes:
        fingerprint: of the step as it is now.
        planned: what would be done.
        found: the run that is recalled and its outcome; None where the step is to run.
        verdicts: what the step's checks answer on that outcome.
    """

    fingerprint: Fingerprint
    planned: PlannedStep
    found: tuple[RunRecord, Outcome] | None = None
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Views:
    """Looks at steps; nothing is done to them.

    Attributes:
        project: what was declared.
        wish: what is wanted.
        identity: tells tasks, engines and fingerprints.
        handed: what earlier steps hand to later ones, so far.
        valid: what was found of setups.
    """

    project: Declared
    wish: Wish
    identity: Identity
    handed: Handed
    valid: Validation

    def of(self, step: Step) -> View:
        """What would be done to a step, given the outcomes that lie there now."""
        fingerprint = self.fingerprint(step)
        planned = plan_step(self.project.store, self.project.name, step, fingerprint, self.wish)
        if planned.action in {Action.RECALL, Action.KEEP} and planned.run:
            record, outcome = self.project.store.run(planned.run), self.project.store.outcome(planned.run)
            if record is not None and outcome is not None:
                before, verdicts = self.project.store.judgements(planned.run), self.verdicts(step, outcome)
                if before and not same(before[-1].verdicts, verdicts):
                    reason = planned.reason.replace("nothing changed", "nothing changed but how it is judged", 1)
                    planned = replace(planned, judge_again=True, reason=reason)
                return View(fingerprint, planned, (record, outcome), verdicts)
        return View(fingerprint, planned)

    def prospect(self, step: Step) -> Prospect:
        """What a step will meet when it runs."""
        setup = self.handed.setup(step)
        return Prospect(
            setup=setup,
            engine=self.identity.engine(setup),
            metrics=self.metrics(step),
            before=self.handed.foresight(
                step, self.wish, lambda one: self.valid.splits(one, self.identity.engine(one))
            ),
            settled=self.handed.settled(step),
        )

    def metrics(self, step: Step) -> MetricCalculator:
        """What the step computes beside the loss."""
        return self.project.metrics.without(step.skip_metrics)

    def verdicts(self, step: Step, outcome: Outcome) -> tuple[Verdict, ...]:
        """What the step's checks answer now."""
        checks = step.all_checks(self.identity.task(self.handed.setup(step)), self.metrics(step).names)
        kinds = {one.name: type(one).__name__ for one in self.project.steps}
        earlier = {one.name: one.outcome for one in self.handed.earlier(step)}
        return judge_all(checks, Evidence(step.name, outcome, earlier, kinds))

    def fingerprint(self, step: Step) -> Fingerprint:
        digests = {name: outcome.digest for name, outcome in self.handed.outcomes.items()}
        consumes = {name: digests.get(name, "") for name in self.handed.used(step)}
        return self.identity.fingerprint(step, self.handed.setup(step), self.metrics(step), consumes)


def same(before: Sequence[Verdict], now: Sequence[Verdict]) -> bool:
    """Whether two judgings answer the same, as they are stored: NaN is the same as NaN."""
    return dumps(tuple(before)) == dumps(tuple(now))
