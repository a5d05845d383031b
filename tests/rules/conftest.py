"""Judging a fresh model by the rules that need no training."""

import tempfile
from pathlib import Path

import pytest

from art_training.engines.engine import EvaluateJob, ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes import RowReader
from art_training.records import Split
from art_training.rules import Laboratory, NotMeasured, Stage, rules
from art_training.setup.all_pairs import allowing_tables
from art_training.setup.setup import Setup


@allowing_tables()  # as a diagnosis does
def _judged(model, data, *, codes="ART4", trainer=None, **declarations):
    setup = Setup(
        model, data, trainer={"accelerator": "cpu", "max_epochs": 2, **(trainer or {})}, declarations=declarations
    )
    found, engine = {}, LightningEngine()
    reader = RowReader(setup.task, 60.0)
    engine.read(EvaluateJob(setup, 0, (Split.TRAIN,), plain=True, data_seed=0), reader.see, lambda _: None)

    def run(specimen):
        laboratory = Laboratory(declarations=declarations, task=setup.task)
        laboratory.lay_down(reader.result())
        laboratory.lay_open(specimen)
        for rule in rules():
            if rule.code.startswith(codes) and rule.stage in {Stage.INSPECT, Stage.PROBE}:
                try:
                    found.update({one.code: one for one in rule.findings(laboratory)})
                except NotMeasured:
                    continue

    with tempfile.TemporaryDirectory() as folder:
        engine.experiment(ExperimentJob(setup, 0, Path(folder), data_seed=0), run)
    return found


@pytest.fixture
def judged():
    """A function of a model and data that gives the findings of rules, by code; those on losses unless told otherwise."""
    return _judged
