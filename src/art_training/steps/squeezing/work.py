"""One squeeze: train, compare, choose, calibrate, export."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from art_training.engines import Averaging, Teaching
from art_training.errors import SetupError
from art_training.records import Artifact, Candidate, Finding, Outcome, Reading, Score, Severity, Split
from art_training.setup.scores.metrics import LOSS
from art_training.steps.bench import Bench
from art_training.steps.delivering.delivery import DELIVERED
from art_training.steps.delivering.predictions import Predictions
from art_training.steps.examples import LookBack
from art_training.steps.squeezing import calibrating
from art_training.steps.squeezing.choosing import Choice, as_score, badness, choose, gain, name_by
from art_training.steps.squeezing.contenders import Contender, Cost, Trained, candidate, cost, predicted, train
from art_training.steps.squeezing.ensemble import Tempering, equal, greedy
from art_training.steps.squeezing.exporting import Asked, Exported, export_result, find_call, usable
from art_training.steps.squeezing.members import Planned, planned
from art_training.steps.squeezing.names import CALIBRATED, ENSEMBLE, GAIN, LONGER, OVER_TEACHER, SINGLE, STUDENT
from art_training.steps.squeezing.result import delivery_of, keep_weights, look_back
from art_training.steps.squeezing.teacher import Teacher

if TYPE_CHECKING:
    from art_training.steps.squeeze import Squeeze

_BATCHES = 4


class Squeezing:
    """The work of one step; everything that it finds is kept here until the outcome is made of it."""

    def __init__(self, step: "Squeeze", bench: Bench) -> None:
        self._step = step
        self._bench = bench
        self._name = name_by(step.by, bench.metrics, step.name)
        self._contenders: list[Contender] = []
        self._others: list[Candidate] = []
        self._scores: dict[str, Score] = {}
        self._readings: list[Reading] = []
        self._findings: list[Finding] = []
        self._artifacts: list[Artifact] = []
        self._seconds: dict[str, float] = {}
        self._tempered: dict[str, calibrating.Calibrated] = {}
        self._watch = step.examples > 0

    def run(self) -> Outcome:
        """Do it.

        Raises:
            SetupError: the first member has no predictions, or what was asked for does not fit the task.
        """
        why = calibrating.why_not(self._bench.task)
        if why and self._step.calibrate:
            raise SetupError(f"{self._step.name}(calibrate=True) cannot be: {why}; give calibrate=None")
        members = self._members()
        single = Contender(SINGLE, ((members[0], 1.0),), members[0].predictions, members[0].seconds, "the first member")
        self._require_score(single)
        self._contenders.append(single)
        if self._step.longer:
            self._longer(members[0])
        if len(members) > 1:
            ensemble = self._ensemble(members)
            if self._step.distill:
                self._student(members[0], ensemble)
        self._require_preferred()
        asked = find_call(self._bench, members[0], _BATCHES)
        costs = {one.name: self._cost(one, asked) for one in self._contenders}
        self._temper(why)
        choice = choose(
            self._contenders,
            self._name,
            self._bench.metrics,
            {name: one.parameters for name, one in costs.items()},
            prefer=self._step.prefer,
            seed=self._bench.seed,
        )
        temperature = self._calibrated(choice.taken)
        exported = self._export(choice.taken, asked, temperature)
        looked = look_back(self._step, self._bench, choice.taken, temperature)
        return self._outcome(choice, temperature, costs, exported, looked)

    # Training.

    def _members(self) -> list[Trained]:
        """Train each; the first must come to its end, and of the others those that do are the members."""
        bench, step = self._bench, self._step
        found: list[Trained] = []
        for member in planned(bench, step.ensemble, step.of, step.name):
            one = self._member(member)
            if isinstance(one, Trained):
                found.append(one)
                self._noted(one)
                continue
            if not found:
                raise SetupError(f"{one}; {step.name} needs a setup that can be trained, as Overfit shows it")
            self._others.append(Candidate(member.label, note=one))
        if step.ensemble and len(found) < 2:
            self._others.append(Candidate(ENSEMBLE, note="one member is no ensemble, and the others came to nothing"))
        return found

    def _member(self, member: Planned) -> Trained | str:
        """Train it, unless the step that it comes from has left its weights."""
        if member.left is None:
            one = train(self._bench, member.label, member.setup, member.seed, watch=self._watch)
            return replace(one, candidate=member.candidate) if isinstance(one, Trained) else one
        path = self._bench.fetch(member.left)
        told = predicted(self._bench, member.candidate, member.setup, member.seed, path)
        return Trained(member.candidate, member.setup, member.seed, path, told, 0.0, candidate=member.candidate)

    def _longer(self, first: Trained) -> None:
        """Train on from the first member's weights, with an average of them."""
        if not first.steps:
            note = f"{first.name} was trained by {self._step.of}, so that it is not known how long it took"
            self._others.append(Candidate(LONGER, note=note))
            return
        epochs = max(1, round((self._step.longer - 1) * max(first.epochs, 1)))
        steps = max(1, round(epochs * first.steps / max(first.epochs, 1)))
        averaging = Averaging(self._step.averaging, decay=_decay(steps))
        # A new beginning of the optimiser, and other batches than the member had.
        one = self._attempt(LONGER, first, start=first.weights, max_steps=steps, averaging=averaging)
        if one is None:
            return
        how = f"decay {averaging.decay:g}" if averaging.kind == "ema" else "ends of epochs"
        note = f"{first.name} trained on for {one.epochs} epochs, with {averaging.kind} of its weights ({how})"
        told = {"epochs": first.epochs + one.epochs}
        seconds = first.seconds + one.seconds
        self._contenders.append(Contender(LONGER, ((one, 1.0),), one.predictions, seconds, note, told))

    def _ensemble(self, members: list[Trained]) -> Contender:
        predictions = [one.predictions for one in members]
        if self._step.weighting == "equal":
            found = equal(predictions)
        else:
            tempering = Tempering(calibrating.rough_temperature, Predictions.at)
            can = self._step.calibrate is not False and not calibrating.why_not(self._bench.task, predictions[0])
            found = greedy(predictions, self._badness, tempering if can else None, seed=self._bench.seed)
        parts = tuple(zip(members, found.weights, strict=True))
        seconds = sum(one.seconds for one in members)
        there = f", trained by {self._step.of}, whose time is not counted here" if self._step.of else ""
        ensemble = Contender(ENSEMBLE, parts, found.predictions, seconds, f"{len(members)} members{there}; {found.how}")
        self._contenders.append(ensemble)
        return ensemble

    def _student(self, first: Trained, ensemble: Contender) -> None:
        """Train one model that comes near to the ensemble, with the seed of the single one."""
        teacher = Teacher(self._bench, ensemble)
        try:
            teacher.prepare()
        except SetupError as error:
            self._others.append(Candidate(STUDENT, note=str(error)))
            return
        one = self._attempt(STUDENT, first, seed=first.seed, teaching=Teaching(teacher))
        if one is None:
            return
        shares = f"{teacher.looked_up} batches looked up, the members asked for {teacher.asked}"
        self._contenders.append(
            Contender(
                STUDENT,
                ((one, 1.0),),
                one.predictions,
                ensemble.seconds + one.seconds,
                f"taught by {ENSEMBLE}; {shares}",
            )
        )

    def _attempt(self, name: str, like: Trained, *, seed: int | None = None, **shaping: Any) -> Trained | None:
        """A training that may come to nothing without ending the step."""
        try:
            own = _another(like.seed) if seed is None else seed
            found = train(self._bench, name, like.setup, own, watch=self._watch, **shaping)
        except SetupError as error:
            found = str(error)
        if isinstance(found, Trained):
            self._noted(found)
            return replace(found, candidate=like.candidate)
        self._others.append(Candidate(name, note=found))
        return None

    def _noted(self, one: Trained) -> None:
        self._findings += [finding for finding in one.findings if finding not in self._findings]
        self._seconds[one.name] = one.seconds

    # Comparing.

    def _badness(self, predictions: Predictions) -> float:
        return badness(predictions, self._name, self._bench.metrics)

    def _require_score(self, single: Contender) -> None:
        if self._badness(single.predictions) != self._badness(single.predictions):
            others = ", ".join(f"validation/{name}" for name in self._bench.metrics.names) or "none"
            raise SetupError(
                f"{self._step.name}(by={self._step.by!r}) cannot be computed of predictions alone"
                + (f": the task's loss is {self._bench.task.loss or 'not known'}" if self._name == LOSS else "")
                + f"; decide by a metric of the project: {others}"
            )

    def _require_preferred(self) -> None:
        wanted = self._step.prefer
        if wanted in {"small", "best", *(one.name for one in self._contenders)}:
            return
        why = next((one.note for one in self._others if one.name == wanted), f"there was no {ENSEMBLE} to make it of")
        raise SetupError(
            f"prefer={wanted!r} of step {self._step.name!r} cannot be delivered: {why}; mend it, or give prefer='small'"
        )

    def _cost(self, contender: Contender, asked: Asked) -> Cost:
        return cost(self._bench, contender, usable(self._bench, contender, asked), asked.batches)

    @property
    def _single(self) -> Contender:
        return self._contenders[0]

    # Finishing.

    def _temper(self, why: str) -> None:
        """Give every contender the temperature that it would be delivered with, so that they are compared as such."""
        if self._step.calibrate is False:
            return
        why = why or calibrating.why_not(self._bench.task, self._contenders[0].predictions)
        if why:
            self._readings.append(Reading("calibration", None, note=f"not done: {why}"))
            return
        for at, one in enumerate(self._contenders):
            found = self._tempered[one.name] = self._calibrate(one)
            told = {"temperature": found.applied}
            self._contenders[at] = replace(one, predictions=found.delivered, parameters={**one.parameters, **told})

    def _calibrate(self, one: Contender) -> calibrating.Calibrated:
        return calibrating.calibrate(self._bench.metrics, one.predictions, seed=self._bench.seed)

    def _calibrated(self, taken: Contender) -> float:
        """What the temperature does to the result; the temperature that is applied."""
        found = self._tempered.get(taken.name)
        if found is None:
            return 1.0
        shown = calibrating.diagram(found, seed=self._bench.seed)
        self._scores |= calibrating.scores(shown, taken.predictions.count)
        self._artifacts += calibrating.artifacts(self._bench, shown)
        gained = as_score(found.gained, f"{taken.name} without it")
        note, why = f"{taken.name} with the temperature {found.temperature:.4g}", found.why_not_applied
        note += f", which is not applied: {why}" if why else ""
        parameters = {"temperature": found.temperature, "applied": not why, "folds": list(found.folds)}
        scores = {**self._scored(found.predictions, CALIBRATED), GAIN: gained}
        self._others.append(Candidate(CALIBRATED, scores, parameters, note))
        self._scores[f"{CALIBRATED}_{GAIN}"] = gained
        self._readings.append(Reading("temperature", found.temperature, note=calibrating.told(found)))
        return found.applied

    def _export(self, taken: Contender, asked: Asked, temperature: float) -> Exported:
        self._artifacts += keep_weights(self._bench, taken)
        if not self._step.export:
            return Exported()
        return export_result(self._bench, taken, asked, temperature)

    def _scored(self, predictions: Predictions, source: str) -> dict[str, Score]:
        return predictions.scores(self._bench.metrics, split=Split.VALIDATION, seed=self._bench.seed, source=source)

    def _outcome(
        self,
        choice: Choice,
        temperature: float,
        costs: Mapping[str, Cost],
        exported: Exported,
        looked: LookBack,
    ) -> Outcome:
        candidates: list[Candidate] = []
        for one in self._contenders:
            gained = None
            if one is not self._single:
                compared = gain(
                    self._bench.metrics, self._name, one.predictions, self._single.predictions, self._bench.seed
                )
                gained = self._scores[f"{one.name}_{GAIN}"] = as_score(compared, SINGLE)
            scores = self._scored(one.predictions, one.name)
            if one.name == STUDENT:
                scores[OVER_TEACHER] = self._over_teacher(one)
            candidates.append(candidate(one, scores, costs[one.name], costs[SINGLE], gained))
        taken = choice.taken
        if any(one.chosen for one, _ in taken.parts):
            self._readings.append(
                Reading("weights", "best", note="chosen by the user's ModelCheckpoint, on the validation split itself")
            )
        self._readings += [Reading("result", taken.name, note=choice.why), *exported.readings]
        result = self._scored(taken.predictions, taken.name)
        return Outcome(
            scores={**result, **self._scores, **exported.scores},
            readings=(*self._readings, *looked.readings),
            findings=(*self._findings, *self._lost(taken), *exported.findings),
            candidates=(*candidates, *self._others),
            parameters={
                "result": taken.name,
                "by": f"validation/{self._name}",
                "prefer": self._step.prefer,
                DELIVERED: delivery_of(taken, temperature, self._step.of).described,
            },
            artifacts=(*self._artifacts, *exported.artifacts, *looked.artifacts),
            seconds={**self._seconds, "look back": looked.seconds},
            summary=self._summary(choice, result),
        )

    def _over_teacher(self, student: Contender) -> Score:
        teacher = next(one for one in self._contenders if one.name == ENSEMBLE)
        compared = gain(self._bench.metrics, self._name, student.predictions, teacher.predictions, self._bench.seed)
        return as_score(compared, ENSEMBLE)

    def _lost(self, taken: Contender) -> list[Finding]:
        """A finding where the result is significantly worse than the single model, as `prefer` does not allow."""
        found = self._scores.get(f"{taken.name}_{GAIN}")
        if found is None or found.interval is None or found.interval.high >= 0:
            return []
        return [
            Finding(
                code="ART752",
                category="evaluation",
                severity=Severity.WARNING,
                message=f"{taken.name} is worse than the single model by {-found.value:.4g} of {self._name}",
                remedy="leave that part of the squeeze out",
            )
        ]

    def _summary(self, choice: Choice, result: Mapping[str, Score]) -> str:
        shown = ", ".join(f"{name} {score.value:.4g}" for name, score in result.items())
        gains = [
            f"{name.removesuffix(f'_{GAIN}')} {score.value:+.3g}"
            for name, score in self._scores.items()
            if name.endswith(f"_{GAIN}") and name != f"{CALIBRATED}_{GAIN}"
        ]
        gained = f"; gains in {self._name} over the single model: {', '.join(gains)}" if gains else ""
        return f"{choice.taken.name}: {shown}{gained}"


def _decay(steps: int) -> float:
    """Of an exponential average over a tenth of a training of so many steps, and no longer than a thousand."""
    return min(0.999, max(0.5, 1 - 10 / max(steps, 1)))


def _another(seed: int) -> int:
    return (seed + 1) % 2**31
