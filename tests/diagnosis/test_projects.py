"""Ten projects as users write them, correct ones, of which nothing is said."""

import importlib.util
import sys
import time
import warnings
from pathlib import Path

import pytest

import art_training as art
from art_training.records import Severity

PROJECTS = sorted((Path(__file__).parent / "projects").glob("*.py"), key=lambda path: path.stem)
BUDGET = 60.0  # seconds that a diagnosis is given: more than it takes on a machine that is five times as busy
SPENT = 1.5 * BUDGET  # seconds of the processor, whatever else the machine does


@pytest.fixture
def project(request, monkeypatch):
    """What a project gives to `art.diagnose`, and the module that it is written in."""
    path = request.param
    spec = importlib.util.spec_from_file_location(f"project_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module.SETUP


def test_there_are_ten():
    assert len(PROJECTS) == 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("project", PROJECTS, indirect=True, ids=lambda path: path.stem)
def test_a_correct_project_is_healthy(project, seed):
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found .* in eval mode at the start of training")  # an average, on purpose
        diagnosis = art.diagnose(**project, budget=BUDGET, seed=seed)
    alarms = [one for one in diagnosis.findings if one.severity is not Severity.INFO]
    assert not alarms, str(diagnosis)
    assert diagnosis.status == "healthy", str(diagnosis)
    assert not [one for one in diagnosis.judged if "please report it" in one.reason], str(diagnosis)
    assert time.process_time() - began < SPENT
