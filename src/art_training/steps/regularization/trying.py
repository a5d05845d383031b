"""A candidate's trainings, one a seed: made once, remembered, and kept from ending those of the others."""

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from art_training.errors import ARTError, Interrupted, StoreError
from art_training.records import Artifact, Finding, Fingerprint, Interval, Metric, Plain, Score, Severity, Split, plain
from art_training.setup.identity.data_digest import DataDigest, digest_data
from art_training.setup.identity.fingerprint import setup_components
from art_training.setup.scores.examples import Examples
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.forgetting import Forgotten, parse_forgotten
from art_training.steps.looking_back import watched_fit
from art_training.steps.regularization.kept import read_examples, write_examples

REFERENCE = "reference"

Weights = Literal["last", "best"]


@dataclass(frozen=True)
class Training:
    """One training and what its weights score.

    Attributes:
        scores: of the training and the validation split, without augmentation.
        examples: what the scores of the validation split were computed on.
        seconds: in training.
        epochs: completed.
        kept: the file that holds `examples`.
        weights: what the training ended with, where they were kept.
        recalled: whether an earlier run of the step had made it.
        forgotten: what it forgot, where it was looked at.
        findings: metrics that could not be computed, and whatever else was wrong with the evaluation.
    """

    scores: Mapping[str, Score]
    examples: Examples
    seconds: float
    epochs: int
    kept: Artifact
    weights: Artifact | None = None
    recalled: bool = False
    forgotten: Forgotten | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A setup under several seeds.

    Attributes:
        name: of the candidate, or `reference`.
        setup: what was trained.
        trainings: one a seed; fewer where one failed.
        failure: why one failed, in a sentence; empty where none did.
    """

    name: str
    setup: Setup
    trainings: tuple[Training, ...]
    failure: str = ""

    @property
    def scores(self) -> dict[str, Score]:
        """The mean over seeds of each score that all trainings have."""
        if not self.trainings:
            return {}
        first = self.trainings[0].scores
        common = [name for name in first if all(name in one.scores for one in self.trainings)]
        return {name: self._mean([one.scores[name] for one in self.trainings]) for name in common}

    @property
    def recalled(self) -> bool:
        """Whether nothing had to be trained."""
        return bool(self.trainings) and all(one.recalled for one in self.trainings)

    @property
    def seconds(self) -> float:
        """In its trainings."""
        return sum(one.seconds for one in self.trainings)

    def _mean(self, scores: Sequence[Score]) -> Score:
        if len(scores) == 1:
            return scores[0]
        mean = statistics.fmean(score.value for score in scores)
        note = f"mean of {len(scores)} seeds; what compares candidates is the interval of their difference"
        return Score(mean, None, scores[0].rows, scores[0].direction, scores[0].source, note)


@dataclass
class Trying:
    """Trains setups under the same seeds.

    Attributes:
        bench: what it works with.
        metric: without whose score a training counts for nothing.
        seeds: how many.
        weights: which weights of a training are scored.
        watch: whether to count what those under the first seed forget.
    """

    bench: Bench
    metric: Metric
    seeds: int
    weights: Weights
    watch: bool = False
    _digests: dict[int, tuple[Any, DataDigest]] = field(default_factory=dict[int, tuple[Any, DataDigest]])

    def tried(self, name: str, setup: Setup) -> Tried:
        """Train a setup under each seed. What its code raises is its own failure; Ctrl-C is not."""
        done: list[Training] = []
        for number in range(1, self.seeds + 1):
            try:
                done.append(self._one(name, setup, number))
            except (Interrupted, StoreError):
                raise
            except Exception as error:  # noqa: BLE001  A candidate may fail in any way, and the next is still tried.
                return Tried(name, setup, tuple(done), f"under seed {number}: {sentence(error)}")
        return Tried(name, setup, tuple(done))

    def identity(self, setup: Setup) -> Fingerprint:
        """What a training of the setup depends on, the seed apart."""
        components, unknown = setup_components(setup)
        data = self._data(setup)
        return Fingerprint({**components, **data.components, "data version": data.value}, (*unknown, *data.unknown))

    def _one(self, name: str, setup: Setup, number: int) -> Training:
        label = f"{name}, seed {number}"
        seed = nth_seed(self.bench.seed, number)
        identity = self.identity(setup)
        key = Fingerprint({**identity.components, "seed": seed, "weights": self.weights}).digest
        # Code that could not be read may have changed unseen; then only this very run's own work counts.
        marker = self.bench.folder / f"trained-{key[:16]}"
        stored = self.bench.recall(key) if not identity.unknown or marker.exists() else None
        known = None if stored is None else self._read(stored)
        if known is not None and not marker.exists():
            return known
        # Found again, with its curves, where a run was killed.
        watch = self.watch and number == 1
        result, forgotten = watched_fit(self.bench, setup, label=label, watch=watch, key=f"of {key}", seed=seed)
        if result.stopped:
            raise _Failed(result.message or result.stopped)
        chosen = result.best if self.weights == "best" and result.best is not None else result.last
        if chosen is None:
            raise _Failed("it left no weights")
        if known is None:
            known = replace(self._scored(label, setup, seed, chosen, number), forgotten=forgotten)
            self._remember(key, known, seconds=result.seconds, epochs=result.epochs)
            marker.touch()
        return replace(known, seconds=result.seconds, epochs=result.epochs, recalled=False)

    def _scored(self, label: str, setup: Setup, seed: int, weights: Path, number: int) -> Training:
        splits = (Split.TRAIN, Split.VALIDATION)
        scored = self.bench.evaluate(*splits, setup=setup, weights=weights, plain=True, seed=seed, keep=False)
        score = scored.scores.get(str(self.metric))
        if score is None or not math.isfinite(score.value):
            raise _Failed(f"{self.metric} {'is not known' if score is None else f'is {score.value}'}")
        path = write_examples(scored.passes[Split.VALIDATION], self.bench.folder / "examples.npz")
        note = "predictions and losses on each validation example"
        kept = self.bench.keep(path, name=f"{label}.npz", kind="other", note=note)
        held = None
        if number == 1:  # whichever wins, its weights under the first seed are what the scores of the step are of
            held = self.bench.keep(weights, name=f"{label}.ckpt", kind="checkpoint", note="of one candidate")
        return Training(scored.scores, scored.passes[Split.VALIDATION], 0.0, 0, kept, held, findings=scored.findings)

    def _remember(self, key: str, training: Training, *, seconds: float, epochs: int) -> None:
        kept = {
            "scores": training.scores,
            "seconds": seconds,
            "epochs": epochs,
            "kept": training.kept,
            "weights": training.weights,
            "forgotten": training.forgotten,
            "findings": training.findings,
        }
        self.bench.remember(key, plain(kept))

    def _read(self, stored: Plain) -> Training | None:
        """A training that was remembered; None where its files are not kept any more."""
        values = cast("dict[str, Any]", stored)
        kept = Artifact(**values["kept"])
        weights = None if values["weights"] is None else Artifact(**values["weights"])
        try:
            examples = read_examples(self.bench.fetch(kept))
            if weights is not None:
                self.bench.fetch(weights)
        except StoreError:
            return None
        scores = {address: _score(score) for address, score in values["scores"].items()}
        return Training(
            scores,
            examples,
            values["seconds"],
            values["epochs"],
            kept,
            weights,
            recalled=True,
            forgotten=parse_forgotten(values.get("forgotten")),
            findings=tuple(map(_finding, values.get("findings", ()))),
        )

    def _data(self, setup: Setup) -> DataDigest:
        key = id(setup.data)
        if key not in self._digests:
            digest = digest_data(
                setup.data,
                version=setup.data_version,
                seed=self.bench.seed,
                memo=self.bench.recall,
                remember=self.bench.remember,
            )
            self._digests[key] = (setup.data, digest)  # the object is kept so that its id stays its own
        return self._digests[key][1]


class _Failed(Exception):
    """Why a training gave nothing to compare."""


def nth_seed(seed: int, number: int) -> int:
    """The seed of the trainings of one round: the same for the reference and for every candidate."""
    digest = hashlib.sha256(f"{seed}/seed {number}".encode()).digest()
    return int.from_bytes(digest[:4]) % 2**31


def sentence(error: Exception) -> str:
    """An error in one line; ART's own say it all."""
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, ARTError | _Failed) else f"{type(error).__name__}: {first}".rstrip(": ")


def _score(stored: Mapping[str, Any]) -> Score:
    interval = stored["interval"]
    values: dict[str, Any] = {**stored, "interval": None if interval is None else Interval(**interval)}
    return Score.restored(**values)


def _finding(stored: Mapping[str, Any]) -> Finding:
    values: dict[str, Any] = {**stored, "severity": Severity(stored["severity"])}
    return Finding(**values)
