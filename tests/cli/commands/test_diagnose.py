"""`art diagnose`, `art rules` and `art explain` as they are typed."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

MODEL = """
import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

print("the user's own print")
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32)[:400], torch.tensor(y)[:400]


class Net(L.LightningModule):
    def __init__(self, lr=3e-3):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Softmax(Net):
    def forward(self, x):
        return torch.softmax(super().forward(x), 1)


class Wide(Net):
    def __init__(self, width):
        super().__init__()


class Broken(Net):
    def training_step(self, batch, index):
        raise ValueError("the user's own mistake")


class Data(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(x[:300], y[:300]), batch_size=50, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(x[300:], y[300:]), batch_size=50)


project = art.ArtProject("toy", art.Setup(Net, Data, trainer={"max_epochs": 2, "accelerator": "cpu"}), steps=[])
"""


@pytest.fixture
def diagnose(art, tmp_path):
    (tmp_path / "net.py").write_text(MODEL)

    def call(model: str, *options: object):
        trainer = ("--trainer", "max_epochs=2", "--trainer", "accelerator=cpu")
        return art("diagnose", f"net.py:{model}", "--data", "net.py:Data", *trainer, "--budget", 120, *options)

    return call


def test_nothing_wrong_is_said_with_code_0_and_prints_of_the_user_are_no_result(diagnose):
    answer = diagnose("Net", "--ignore", "ART402")
    assert answer.code == 0, answer.out
    assert answer.out.startswith("Net: healthy: nothing was found\n")
    assert "ignored" in answer.out
    assert "the user's own print" not in answer.out


def test_a_finding_is_told_in_eighty_columns_with_code_1(diagnose):
    answer = diagnose("Softmax")
    assert answer.code == 1
    assert "\n✗ ART402 softmax before a cross entropy  error, loss\n" in answer.out
    for part in ("where", "evidence", "confirmed", "remedy"):
        assert f"\n  {part} " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "\x1b" not in answer.out


def test_colours_are_for_terminals(diagnose, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in diagnose("Softmax").out


def test_what_raises_is_inconclusive_with_code_3_and_no_traceback(diagnose):
    answer = diagnose("Broken")
    assert answer.code == 3
    assert "the user's own mistake, at net.py:" in " ".join(answer.out.split())
    assert "Broken.training_step" in answer.out
    assert "Traceback" not in answer.out + answer.err


def test_a_project_in_a_folder_is_diagnosed_without_arguments(art, tmp_path):
    (tmp_path / "art_project.py").write_text(MODEL)
    answer = art("diagnose", "--budget", 120)
    assert answer.code == 0, answer.out + answer.err
    assert art("diagnose", "--budget", 120, "--hparam", "lr=0.001").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "0"), "must be above 0"),
        (("--ignore", "ART999"), "'ART999', which is no rule"),
        (("--declare", "frosen=1"), "did you mean 'frozen'"),
        (("--ignore", "softmax"), "'softmax', which is no rule"),
        (("--trainer", "max_epochs"), "is no KEY=VALUE"),
        (("--trainer", "max_epoch=3"), "did you mean 'max_epochs'"),
        (("--hparam", "width=3"), "'width', which Net does not take"),
        (("--format", "yaml"), "'yaml' is not one of"),
    ],
)
def test_wrong_use_is_code_2_and_one_sentence(diagnose, options, said):
    answer = diagnose("Net", *options)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ("net.py:Wide", "net.py:Data", "Wide needs 'width'; give hparams="),
        ("net.py:Nett", "net.py:Data", "there is no 'Nett'; there are:"),
        ("nett.py:Net", "net.py:Data", "there is no file nett.py"),
        ("net.py:Net", "data.py:Data", "there is no file data.py"),
        ("net.py:Net", "net.py:x", "data=<Tensor> is none that Lightning can train on"),
        ("net.py:Net", "net.py:TensorDataset", "which is no LightningDataModule"),
        ("net.py:x", "net.py:Data", "cannot be called"),
        ("net.py", "net.py:Data", "names no object"),
        ("net.py:nn", "net.py:Data", "cannot be called"),
    ],
)
def test_a_model_or_data_that_are_none_are_code_2_and_one_sentence(art, tmp_path, model, data, said):
    (tmp_path / "net.py").write_text(MODEL)
    answer = art("diagnose", model, "--data", data)
    assert answer.code == 2, answer.out + answer.err
    told = [line for line in answer.err.splitlines() if line != "the user's own print"]
    assert said in " ".join(told)
    assert "Traceback" not in answer.err
    assert not answer.out


def test_a_reason_is_given_with_the_code(diagnose):
    answer = diagnose("Net", "--ignore", "art402=on purpose")
    assert "ignored ART402 softmax before a cross entropy: on purpose" in " ".join(answer.out.split())


def test_json_holds_everything(diagnose):
    told = json.loads(diagnose("Softmax", "--format", "json").out)
    assert told["status"] == "findings"
    (found,) = [one for one in told["findings"] if one["rule"] == "ART402"]
    assert found["evidence"]["classes"] == 10
    assert found["severity"] == "error"
    assert {one["state"] for one in told["rules"]} <= {"passed", "finding", "not judged", "not applicable", "ignored"}
    assert all(one["reason"] for one in told["rules"] if one["state"] in {"not judged", "not applicable"})
    assert "net.py:" in told["place"]


def test_sarif_is_told_at_the_user_s_line(diagnose):
    (run,) = json.loads(diagnose("Softmax", "--format", "sarif").out)["runs"]
    (result,) = [one for one in run["results"] if one["ruleId"] == "ART402"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "net.py"
    assert run["invocations"][0]["executionSuccessful"]


def test_junit_is_parsed_and_its_counts_are_those_of_its_cases(diagnose):
    for model, errors in (("Softmax", 0), ("Broken", 1)):
        suite = ET.fromstring(diagnose(model, "--format", "junit").out)
        assert suite.tag == "testsuite"
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}")), name
        assert int(suite.attrib["errors"]) == errors
        assert float(suite.attrib["time"]) >= 0
    assert all(case.attrib["classname"] and case.attrib["name"] for case in cases)


def test_html_is_one_page_that_needs_nothing_else(diagnose):
    page = diagnose("Softmax", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "ART402" in page
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", page)
    for tag in ("section", "dl", "details", "table", "span", "p"):
        assert len(re.findall(rf"<{tag}\b", page)) == page.count(f"</{tag}>"), tag


@pytest.mark.parametrize("code", ["ART123", "art123", "123"])
def test_what_a_step_finds_is_explained_too(art, code):
    answer = art("explain", code)
    assert answer.code == 0
    assert answer.out.startswith("ART123 the numbers that are learned are far from what fresh weights predict")
    assert "told by ExploreData" in " ".join(answer.out.split())


def test_rules_are_a_table_and_each_is_explained(art):
    from art_training.rules import rules

    listed = art("rules")
    assert listed.code == 0
    assert re.match(r"code +finds +category +severity +from\n", listed.out)
    assert list(re.findall(r"^ART\d{3}", listed.out, re.MULTILINE)) == [one.code for one in rules()]
    assert [one["code"] for one in json.loads(art("rules", "--json").out)["rules"]] == [one.code for one in rules()]
    for one in rules():
        answer = art("explain", one.code)
        assert answer.code == 0
        for title in ("It finds", "It matters, because", "Wrong", "Right", "To silence it", "Source"):
            assert f"\n{title}:\n" in answer.out
        assert f"ignore={{'{one.code}': 'the reason'}}, or --ignore {one.code}='the reason'" in " ".join(
            answer.out.split()
        )


@pytest.mark.parametrize("code", ["ART999", "999", "softmax", ""])
def test_an_unknown_rule_is_code_2(art, code):
    answer = art("explain", code)
    assert answer.code == 2
    assert "`art rules` lists the rules" in answer.err


@pytest.mark.parametrize("code", ["402", "art402", " Art402"])
def test_a_code_may_be_written_short(art, code):
    assert art("explain", code).out == art("explain", "ART402").out


def test_no_path_of_this_machine_is_in_the_text_of_a_rule():
    from art_training.rules import rules

    root = Path(__file__).parents[3]
    assert not [one.code for one in rules() if str(root) in one.finds + one.why + one.wrong + one.right]


SLOW = """
import os
import time

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset

x = torch.randn(128, 4, generator=torch.Generator().manual_seed(0))


def tell(number):
    os.write(2, f"worker {os.getpid()}\\n".encode())  # at once: two workers tell it


class Data(L.LightningDataModule):
    def train_dataloader(self):
        rows = TensorDataset(x[:64], x[:64, :1])
        return DataLoader(rows, 8, shuffle=True, num_workers=2, persistent_workers=True, worker_init_fn=tell)

    def val_dataloader(self):
        return DataLoader(TensorDataset(x[64:], x[64:, :1]), 8)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        print("batch", flush=True)
        time.sleep(0.02)
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        print("validation", flush=True)
        time.sleep(0.02)
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
"""


@pytest.fixture
def short_folder():
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "group"), [("batch", False), ("validation", True)], ids=["probing", "training"])
def test_sigterm_ends_a_diagnosis_with_code_143_and_one_sentence_and_leaves_neither_folders_nor_workers(
    tmp_path, short_folder, moment, group
):
    (tmp_path / "slow.py").write_text(SLOW)
    scratch = short_folder  # workers hand tensors over by sockets in it, whose paths end at 107 characters
    command = ["diagnose", "slow.py:Net", "--data", "slow.py:Data", "--trainer", "accelerator=cpu"]
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "art_training", *command, "--trainer", "max_epochs=1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch)},
        start_new_session=True,
    )
    said = []
    for line in child.stderr:  # what the user's code prints is no result
        said.append(line.strip())
        if said[-1] == moment:
            break
    assert list(scratch.glob("art-*"))
    (os.killpg if group else os.kill)(child.pid, signal.SIGTERM)  # `timeout` sends it to all
    out, err = child.communicate(timeout=60)
    said += err.splitlines()
    workers = [int(line.split()[1]) for line in said if line.startswith("worker ")]
    told = [line for line in said if not line.startswith(("worker ", "batch", "validation"))]
    assert child.returncode == 143, told
    assert told == ["Interrupted by SIGTERM: a diagnosis keeps nothing, begin it again."]
    assert not out
    assert workers
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    left = {one.name for one in scratch.iterdir()}
    assert not [one for one in left if one.startswith(("art-", "pymp-", "tmp"))], left
