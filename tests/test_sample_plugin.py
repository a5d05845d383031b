"""The sample plug-in, installed from its own wheel, shows up wherever what ART ships does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "examples" / "plugin"

# What people and programs see without a project: each in one process, since torch takes seconds to import.
LOOKS = """
import contextlib, io, json, sys
from art_training.cli.completing import complete_codes, complete_extensions
from art_training.cli.failing import run
from art_training.dashboard.pages.rules import matching
from art_training.views.purposes import purpose_of
from art_training.views.rulebook import rule_of, rules_known

found = {
    "rule": [rule_of("smp101").name, rule_of("SMP101").origin],
    "searched": [row.code for row in matching(rules_known(), "art-plugin-sample")],
    "purpose": purpose_of("TrySeeds"),
    "completed": [*complete_codes("SMP"), *complete_extensions("trackers")("js"), *complete_extensions("templates")("sam")],
    "torch": "torch" in sys.modules or "art_sample" in sys.modules,
}
for command in (["plugins", "--others", "--json"], ["rules"], ["rules", "--json"], ["explain", "smp101"], ["new", "--list"]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(command) == 0, command
    found[" ".join(command)] = said.getvalue()
from art_training.rules.registry import versions_of_others
from art_training.views.environment import _PLUGINS
found["digests"] = list(versions_of_others())
with contextlib.redirect_stdout(said := io.StringIO()):
    exec(_PLUGINS)
found["doctor"] = json.loads(said.getvalue())
print(json.dumps(found))
"""

EACH = """
import contextlib, io, json, sys
from art_training.cli.failing import run

found = []
for command in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = run(command.split())
    found.append((code, said.getvalue()))
print(json.dumps(found))
"""

FAULTY = """
import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class Rows(L.LightningDataModule):
    def setup(self, stage):
        x = torch.randn(96, 3, generator=torch.Generator().manual_seed(0))
        self.rows = TensorDataset(torch.cat([x, x[:, :1]], 1), x.sum(1, keepdim=True).tanh())

    def train_dataloader(self):
        return DataLoader(self.rows, batch_size=16, shuffle=True)
"""

STRICT = """
name = "strict"
version = 1

[[requires]]
type = "CheckPasses"
step = "TrySeeds"
check = "Steady"
share = 0.95
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(SAMPLE)]
    subprocess.run(build, check=True, capture_output=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    install = [*pip, "install", "--no-index", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=folder)
    return folder / "site"


def python(site: Path, folder: Path, *arguments: str) -> Said:
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "160"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def each(site: Path, folder: Path, *commands: str, codes: tuple[int, ...] = (0,)) -> list[str]:
    """What commands say on stdout, one after the other in one process, since torch takes seconds to import."""
    said = python(site, folder, "-c", EACH, *commands)
    assert said.code == 0, said.out + said.err
    found = json.loads(said.out.splitlines()[-1])
    assert all(code in codes for code, _ in found), said.out + said.err
    return [text for _, text in found]


@pytest.mark.slow
def test_it_is_listed_told_and_completed_as_what_art_ships(site: Path, tmp_path: Path) -> None:
    said = python(site, tmp_path, "-c", LOOKS)
    assert said.code == 0, said.err
    found = json.loads(said.out.splitlines()[-1])
    assert not found["torch"], "what only looks must import neither torch nor the plug-in"
    assert found["rule"] == ["two columns of the inputs are the same", "art-plugin-sample 1.0.0"]
    assert found["searched"] == ["SMP101"]
    assert found["purpose"] == "How much of the score is the luck of the seed?"
    assert found["completed"] == ["SMP101", "jsonl", "sample"]
    listed = json.loads(found["plugins --others --json"])["extensions"]
    names = [(row["group"], row["name"], row["problem"]) for row in listed]
    assert names == [
        ("steps", "TrySeeds", ""),
        ("checks", "Steady", ""),
        ("rules", "SMP", ""),
        ("standards", "sample", ""),
        ("templates", "sample", ""),
        ("trackers", "jsonl", ""),
    ]
    assert {(row["distribution"], row["version"], row["folder"]) for row in listed} == {
        ("art-plugin-sample", "1.0.0", str(site))
    }
    assert all(row["about"] for row in listed)
    assert "SMP101" in found["rules"]
    assert {"code": "SMP101", "distribution": "art-plugin-sample"}.items() <= json.loads(found["rules --json"])[
        "rules"
    ][-1].items()
    assert "the plug-in art-plugin-sample 1.0.0" in found["explain smp101"]
    assert "--ignore SMP101=" in found["explain smp101"]
    assert "several seeds" in found["new --list"]
    assert found["digests"] == ["SMP"]
    assert found["doctor"] == []


@pytest.mark.slow
def test_a_project_of_its_template_runs_its_step_and_check_with_its_tracker_and_meets_its_standard(
    site: Path, tmp_path: Path
) -> None:
    each(site, tmp_path, "new trial --template sample --no-git --data seeds=2")
    folder = tmp_path / "trial"
    (ran,) = each(site, folder, "run --tracker jsonl")
    assert "validation/loss varies by" in ran
    (lines,) = (folder / "tracked").glob("*.jsonl")
    assert {"run", "metrics", "points", "table verdicts", "end"} <= {
        json.loads(line)["what"] for line in lines.read_text().splitlines()
    }
    (folder / "strict.toml").write_text(STRICT)
    asked = "verify --standard sample", "verify --standard strict.toml --record-only", "report --format md -o report.md"
    each(site, folder, *asked)
    assert "How much of the score is the luck of the seed?" in (folder / "report.md").read_text()


@pytest.mark.slow
def test_its_rule_finds_its_fault_and_is_ignored_as_any_other(site: Path, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY)
    asked = "diagnose faulty.py:Net --data faulty.py:Rows --trainer max_epochs=1 --budget 12 --format"
    found, ignored = each(site, tmp_path, f"{asked} sarif", f"{asked} json --ignore SMP101=meant", codes=(0, 1))
    run = json.loads(found)["runs"][0]
    (result,) = [one for one in run["results"] if one["ruleId"] == "SMP101"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "SMP101"
    assert "these are the same: 0 and 3" in result["message"]["text"]
    (judged,) = [one for one in json.loads(ignored)["rules"] if one["code"] == "SMP101"]
    assert (judged["state"], judged["reason"]) == ("ignored", "meant")


@pytest.mark.slow
def test_it_passes_the_public_suites(site: Path, tmp_path: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-c", str(SAMPLE / "pyproject.toml"), f"--rootdir={tmp_path}")
    said = python(site, tmp_path, "-m", "pytest", *options, str(SAMPLE / "tests"))
    assert said.code == 0, said.out + said.err
