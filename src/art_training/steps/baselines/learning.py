"""How EvaluateBaseline's baselines learn: one pass over the training split, in bounded memory."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.batch import detached, size
from art_training.setup.frames import raised
from art_training.setup.setup import Setup
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.contenders import (
    Contender,
    Mean,
    Module,
    Prior,
    Tabular,
    table_of,
    target_of,
)
from art_training.steps.baselines.models import DUMMY, Baseline, choose
from art_training.steps.baselines.tables import Flattening, Sample
from art_training.steps.bench import Bench

_TABULAR = {TaskKind.CLASSIFICATION, TaskKind.REGRESSION, TaskKind.MULTI_LABEL}


@dataclass(frozen=True)
class Limits:
    """How much baselines learn from at most.

    Attributes:
        rows: examples.
        values: numbers in the table of features.
        features: features of an example.
    """

    rows: int
    values: int
    features: int


@dataclass
class Learned:
    """Baselines that have learned.

    Attributes:
        contenders: in the order in which they are told.
        left_out: why a baseline has no scores, by name.
        broken: those of them that are the user's own, and raised or predicted what cannot be compared.
        seconds: time by phase.
        rows: how many examples the training split has.
        senseless: why nothing could learn from such a task; empty where something could.
    """

    contenders: list[Contender] = field(default_factory=list[Contender])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    broken: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    rows: int = 0
    senseless: str = ""

    @contextmanager
    def timed(self, phase: str) -> Generator[None]:
        """Note how long a phase takes."""
        began = time.monotonic()
        yield
        self.seconds[phase] = time.monotonic() - began


def learn(
    bench: Bench,
    limits: Limits,
    makes: Mapping[str, Callable[[], Any]],
    *,
    only: str = "",
    setup: Setup | None = None,
) -> Learned:
    """Read the training split, and let baselines learn from it.

    Args:
        bench: what the step works with.
        limits: how much they learn from.
        makes: factories of ArtModules by name.
        only: the name of the one that shall learn; empty: all.
        setup: whose data they learn from; None: the bench's.
    """
    makes = {name: make for name, make in makes.items() if only in {"", name}}
    task = bench.task
    learned = Learned()
    gathered = _Gathered(task, limits, bench.seed, keep_batches=bool(makes))

    def see(_: Split, __: str | None, batch: Any) -> None:
        gathered.add(batch)

    bench.say("read train")
    with learned.timed("read"):
        bench.read(Split.TRAIN, see=see, setup=setup)
    learned.rows = gathered.rows
    if task.kind in _TABULAR and gathered.targets.seen:
        _fit_tables(gathered, bench, learned, only)
    else:
        _without_tables(gathered, task, learned)
    for name, make in makes.items():
        bench.say(f"fit {name}")
        with learned.timed(f"fit {name}"):
            module = _taught(name, make, gathered, learned)
        if module is not None:
            learned.contenders.append(module)
    return learned


def _taught(name: str, make: Callable[[], Any], gathered: "_Gathered", learned: Learned) -> Module | None:
    """A baseline of the user's own that has learned; None where it could not, which costs the others nothing."""
    try:
        module = Module(name, make(), gathered.task)
        module.train(gathered.batches)
    except Exception as error:  # noqa: BLE001  Whatever their code raises, the work of the others is worth keeping.
        why = str(error) if isinstance(error, SetupError) else raised(error)
        learned.broken[name] = learned.left_out[name] = f"baseline {name!r} could not learn: {why}"
        return None
    if gathered.held < gathered.rows:
        module.notes.append(f"learned from the first {gathered.held:,} of {gathered.rows:,} examples")
    return module


class _Gathered:
    """What is kept of the training split."""

    def __init__(self, task: Task, limits: Limits, seed: int, *, keep_batches: bool) -> None:
        self.rows = self.held = 0
        self.batches: list[Any] = []
        self.flattening = Flattening(task, most_features=limits.features, seed=seed)
        self.table = Sample(lambda numbers: min(limits.rows, max(1, limits.values // numbers)), seed=seed)
        self.targets = Sample(lambda _: limits.rows, seed=seed)
        self.whole: Prior | Mean | None = None
        if task.kind is TaskKind.SEQUENCE:
            self.whole = Prior(task)
        elif task.kind is TaskKind.RECONSTRUCTION:
            self.whole = Mean()
        self.task = task
        self._limits = limits
        self._keep_batches = keep_batches

    def add(self, batch: Any) -> None:
        """Take in a batch."""
        count = size(batch)
        self.rows += count
        if self._keep_batches and self.held < self._limits.rows:
            self.batches.append(detached(batch))
            self.held += count
        target = target_of(batch, self.task)
        if target is None:
            return
        if self.whole is not None:
            self.whole.add(target.numpy())
        elif self.task.kind in _TABULAR:
            wanted = table_of(target, self.task)
            self.targets.add(wanted)
            inputs = self.flattening.of(batch)
            if inputs is not None:
                self.table.add(inputs, wanted)


def _fit_tables(gathered: _Gathered, bench: Bench, learned: Learned, only: str) -> None:
    import numpy as np

    task, flattening = bench.task, gathered.flattening
    (targets,) = gathered.targets.taken()
    _require_classes(targets, task)
    classification = task.kind is TaskKind.CLASSIFICATION
    classes = (task.classes or int(targets.max()) + 1) if classification else 0
    outputs = 1 if targets.ndim == 1 else targets.shape[1]
    table = [] if flattening.why_not else gathered.table.taken()
    rows = len(table[0]) if table else 0
    chosen = choose(task, flat=flattening.why_not, classes=classes, outputs=outputs, seed=bench.seed, rows=rows)
    learned.left_out |= chosen.left_out
    for baseline in (one for one in chosen.baselines if only in {"", one.name}):
        bench.say(f"fit {baseline.name}")
        if baseline.name == DUMMY:
            inputs, wanted, sampled = np.zeros((len(targets), 1), np.float32), targets, gathered.targets
        else:
            (inputs, wanted), sampled = table, gathered.table
            baseline.notes += flattening.notes
        if len(wanted) < sampled.seen:
            baseline.notes.append(
                f"learned from {len(wanted):,} of {sampled.seen:,} examples, drawn with seed {bench.seed}"
            )
        with learned.timed(f"fit {baseline.name}"):
            why = _fit(baseline, inputs, wanted, task)
        learned.contenders.append(Tabular(baseline, flattening, task))
        if why:
            learned.left_out[baseline.name] = why


def _require_classes(targets: Any, task: Task) -> None:
    if task.kind is not TaskKind.CLASSIFICATION or not task.classes:
        return
    counted = targets[(targets >= 0) & (targets != task.loss_options.get("ignore_index", -1))]
    if len(counted) and counted.max() >= task.classes:
        first, last = int(counted.min()), int(counted.max())
        remedy = f"subtract {first} from the labels" if first > 0 and last - first < task.classes else "mend the labels"
        raise SetupError(
            f"labels of the training split go from {first} to {last}, and a task of {task.classes} classes has 0 to "
            f"{task.classes - 1}; {remedy}, or give the model as many outputs as there are classes"
        )


def _fit(baseline: Baseline, inputs: Any, targets: Any, task: Task) -> str:
    """Why the baseline could not learn; empty where it has."""
    import numpy as np

    known = targets >= 0 if task.kind is TaskKind.CLASSIFICATION else np.isfinite(targets).all(1)
    left = int((~known).sum())
    if left:  # classes that the loss leaves out, and targets that are missing
        inputs, targets = inputs[known], targets[known]
        baseline.notes.append(f"{left:,} examples without a target were left out")
    try:
        baseline.learn(inputs, targets)
    except ValueError as error:  # scikit-learn says in this way that it cannot learn from such data
        return f"it could not learn: {' '.join(str(error).split())}"
    return ""


def _without_tables(gathered: _Gathered, task: Task, learned: Learned) -> None:
    why = "no target was recognised in the batches" if task.target is None else "the batches have no target"
    if gathered.whole is not None:
        learned.contenders.append(gathered.whole)
        learned.left_out |= choose(task, flat="", classes=0, outputs=0, seed=0, rows=0).left_out
        return
    if task.kind not in _TABULAR:
        why = f"the task is {task.kind.value}, for which no baseline is known"
    learned.senseless = why
    learned.left_out |= dict.fromkeys(("dummy", "linear", "boosting"), why)
