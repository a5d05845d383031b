"""What every step must keep to: a suite for those who write one.

    class TestMyStep(StepContract):
        step = MyStep(seeds=2)

The step is run in a project that fits a line in milliseconds; give `setup` where it needs another one.
"""

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from art_training import plugins
from art_training.checks import Check
from art_training.project import ArtProject
from art_training.records import Metric, VerdictState, plain
from art_training.runner import StepResult
from art_training.setup.setup import Setup
from art_training.setup.task import Task, TaskKind
from art_training.steps import Step
from art_training.stores.sql import SqlStore
from art_training.testing.data import points
from art_training.testing.fake_engine import FakeEngine, Line
from art_training.views.purposes import purpose_in

_TASKS = (
    Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=10),
    Task(TaskKind.REGRESSION, inputs=("0",), target="1", loss="mse_loss"),
)


class StepDeclarationContract:
    """What can be asked of a step without running it; a pytest class to inherit from.

    Attributes:
        step: as it may be declared in a project.
    """

    step: ClassVar[Step]

    def test_it_is_a_dataclass_itself(self) -> None:
        """Else its own fields are no configuration. Python sees to it that it is frozen, as `Step` is."""
        kind = type(self.step)
        assert "__dataclass_fields__" in vars(kind), f"declare {kind.__name__} with @dataclass(frozen=True)"

    def test_it_says_what_it_asks_where_it_can_be_read_without_running_it(self) -> None:
        """The dashboard and the report, which import nothing that trains, show it above what the step found."""
        kind = type(self.step)
        assert kind.purpose, f"{kind.__name__} has no purpose; write what it asks, in one sentence"
        assert "\n" not in kind.purpose
        source = Path(inspect.getfile(kind)).read_text(encoding="utf-8")
        assert purpose_in(ast.parse(source), kind.__name__) == kind.purpose, "write purpose as a literal in the class"

    def test_its_configuration_is_plain_data_and_that_of_a_copy(self) -> None:
        """It is part of the fingerprint: an object with an address in it would be another one each day."""
        copy = dataclasses.replace(self.step)
        assert copy == self.step
        assert plain(copy.configuration()) == plain(self.step.configuration())
        assert "0x" not in json.dumps(plain(self.step.configuration()))

    def test_it_is_called_by_its_class_or_as_one_says(self) -> None:
        """Two steps of a class stand in one project under two names."""
        assert dataclasses.replace(self.step, name="").name == type(self.step).__name__
        assert dataclasses.replace(self.step, name="another").name == "another"

    def test_its_default_checks_ask_for_scores_that_it_promises(self) -> None:
        """Else each project that uses it is refused."""
        for task in _TASKS:
            metrics = ["accuracy"]
            asked = self.step.default_checks(task, metrics)
            assert all(isinstance(one, Check) for one in asked)
            promised = self.step.score_names(metrics)
            if promised is None:
                continue
            for one in asked:
                for score in one.asks:
                    assert score.rpartition("/")[2] in promised, f"{one.title} asks for {score!r}"


class StepContract(StepDeclarationContract):
    """A pytest class to inherit from.

    Attributes:
        before: steps that must have run, in order.
        metrics: of the project.
        passes: whether it passes its default checks on `setup`.
    """

    before: ClassVar[Sequence[Step]] = ()
    metrics: ClassVar[Mapping[str, Any]] = {}
    passes: ClassVar[bool] = True

    def setup(self) -> Setup:
        """What the step works on."""
        return Setup(Line, points(), hparams={"lr": 0.125}, trainer={"max_epochs": 4}, engine="fake")

    @pytest.fixture(autouse=True)
    def _fake_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        installed = plugins.load

        def load(group: str, name: str) -> Any:
            return FakeEngine if (group, name) == ("engines", "fake") else installed(group, name)

        for module in ("art_training.plugins", "art_training.runner.identity"):
            monkeypatch.setattr(f"{module}.load", load)

    def test_it_runs_is_kept_and_is_recalled(self, tmp_path: Path) -> None:
        """With the scores that it promised, and checks that could be asked; nothing of the setup is changed."""
        setup = self.setup()
        before = repr(setup)
        first = self._run(setup, tmp_path)
        assert repr(setup) == before
        outcome = first.outcome
        assert outcome is not None
        verdicts = first.judgement.verdicts if first.judgement else ()
        for verdict in verdicts:
            assert verdict.state is not VerdictState.ERRORED, f"{verdict.check}: {verdict.reason}"
        if self.passes:
            assert first.state.value == "passed", [verdict.reason for verdict in verdicts] or "it has no checks"
        promised = self.step.score_names(list(self.metrics))
        if promised is not None:
            left = {Metric.parse(name).name if "/" in name else name for name in outcome.scores}
            assert left <= set(promised), f"score_names does not say: {', '.join(sorted(left - set(promised)))}"
        for finding in outcome.findings:
            assert re.fullmatch(r"[A-Z]{2,12}\d{3}", finding.code), f"{finding.code!r} is no code"
        again = self._run(setup, tmp_path)
        assert again.recalled, "it runs again though nothing changed"

    def _run(self, setup: Setup, folder: Path) -> StepResult:
        store = SqlStore(folder / "art.db")
        try:
            steps = [*self.before, self.step]
            project = ArtProject("contract", setup, metrics=self.metrics, steps=steps, store=store, folder=folder)
            return project.run()[self.step.name]
        finally:
            store.close()
