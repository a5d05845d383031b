"""Each template from a built wheel: rendered, tested by its own tests, and run, as whoever installed ART does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHOLE = os.environ.get("ART_TEST_TEMPLATES") == "whole"  # `make templates`; else the steps that take seconds
KINDS = ["blank", "image", "sequence", "tabular", "text", "transfer"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed; what it needs is there already."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    install = [*pip, "install", "--no-index", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=folder)
    return folder / "site"


def called(site: Path, folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONWARNINGS": "default", "COLUMNS": "160"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_project_passes_its_own_tests_and_runs(site: Path, tmp_path: Path, kind: str) -> None:
    where = called(site, tmp_path, "-c", "import art_training; print(art_training.__file__)")
    assert where.startswith(str(site))
    called(site, tmp_path, "-m", "art_training", "new", "leaves", "--template", kind)
    folder = tmp_path / "leaves"
    # The step Diagnose is among those that run, and asks what the project's own slow test asks.
    tested = called(
        site, folder, "-m", "pytest", "-q", *([] if WHOLE else ["-m", "not slow"]), "-p", "no:cacheprovider"
    )
    assert " passed" in tested
    told = called(
        site, folder, "-m", "art_training", "run", "--json", *([] if WHOLE else ["--until", "OverfitOneBatch"])
    )
    states = {step["step"]: step["state"] for step in json.loads(told)["steps"]}
    asked = (
        list(states) if WHOLE else ["ExploreData", "Diagnose", "EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch"]
    )
    assert {name: states[name] for name in asked} == dict.fromkeys(asked, "passed")
    assert "FinalTest" in states
    if WHOLE:
        called(site, folder, "-m", "art_training", "diagnose")
