"""What was exported predicts what was trained, and what is wrong with a file is one sentence."""

import functools
import json
import shutil
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.exported import bundle
from art_training.exported.member import Call, by_step, calls_of, load, make, parts_of, untargeted, weights_for
from art_training.exported.model import ExportedModel, Part, export, load_model, of_parts
from art_training.exported.verify import verify
from art_training.setup.scores.calibration import tempered
from art_training.setup.task import Task, TaskKind

CLASSES = Task(
    TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=3, activation="softmax"
)
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1", loss="mse_loss")
X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 0, 1, 2])
DATA = art.data(train=(X, Y), batch_size=3)


class Net(nn.Module):
    """Three classes, with a buffer and dropout."""

    def __init__(self, width: int = 5, activation: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), activation(), nn.Dropout(), nn.Linear(width, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.first(left) + self.second(right)


def twice(module: nn.Module) -> nn.Module:
    return nn.Sequential(module, nn.Linear(3, 3))


def plain_setup(**hparams: Any) -> art.Setup:
    return art.Setup(model=art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1), data=DATA, hparams=hparams)


def weights(seed: int = 0, **hparams: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    net = Net(**hparams)
    net(X)  # moves the running statistics
    return net.state_dict()


def part(seed: int = 0, weight: float = 1.0, **hparams: Any) -> Part:
    return Part.of(f"member {seed}", plain_setup(**hparams), weights(seed, **hparams), weight)


def archive(tmp_path: Path, *parts: Part, **settings: Any) -> Path:
    path = tmp_path / "model.zip"
    settings = {"call": Call(("0",), {}, "softmax"), "batch": (X, Y), **settings}
    assert not export(path, list(parts) or [part()], plain_setup(), CLASSES, **settings)
    return path


def expected(seed: int, x: torch.Tensor = X, **hparams: Any) -> torch.Tensor:
    net = Net(**hparams).eval()
    net.load_state_dict(weights(seed, **hparams))
    with torch.no_grad():
        return net(x).softmax(1)


def test_a_loaded_model_predicts_what_was_trained(tmp_path: Path) -> None:
    model = art.load_model(archive(tmp_path))
    assert isinstance(model, ExportedModel)
    assert torch.equal(model(X), expected(0))
    assert torch.equal(model((X, Y)), expected(0))
    assert not model.training
    assert not model.train().training
    assert not any(one.requires_grad for one in model.parameters())
    assert model.description["inputs"]["0"] == {"shape": [None, 4], "type": "float32"}


def test_members_are_averaged_by_their_weights_and_tempered_after(tmp_path: Path) -> None:
    path = archive(tmp_path, part(1, 0.75), part(2, 0.25, width=7, activation=nn.GELU), temperature=2.0)
    model = load_model(path)
    mean = 0.75 * expected(1) + 0.25 * expected(2, width=7, activation=nn.GELU)
    assert torch.allclose(model(X), torch.from_numpy(tempered(mean.numpy(), 2.0)), atol=1e-6)
    assert model.names == ("member 1", "member 2")
    assert model.weights == (0.75, 0.25)


def test_the_same_model_is_the_same_file_and_a_folder_does_as_well(tmp_path: Path) -> None:
    first = archive(tmp_path).read_bytes()
    second = archive(tmp_path).read_bytes()
    assert first == second
    with zipfile.ZipFile(tmp_path / "model.zip") as opened:
        opened.extractall(tmp_path / "folder")
    assert torch.equal(load_model(tmp_path / "folder")(X), expected(0))


def test_loading_moves_no_global_random_state(tmp_path: Path) -> None:
    path = archive(tmp_path)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_yes_and_no_of_one_column_is_tempered_as_such() -> None:
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    task = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="binary_cross_entropy_with_logits", classes=2, activation="sigmoid")  # fmt: skip
    model = ExportedModel([("one", net, 1.0)], task, temperature=2.0, call=Call(("0",), {}, "sigmoid"))
    with torch.no_grad():
        assert torch.allclose(model(X), torch.sigmoid(net(X) / 2), atol=1e-6)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_changed_bytes_are_seen(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(archive(tmp_path)) as opened:
        opened.extractall(tmp_path / "folder")
    file = tmp_path / "folder" / name
    raw = bytearray(file.read_bytes())
    at = raw.rfind(b"0.75") if b"0.75" in raw else len(raw) - 5
    raw[at] = ord("1") if raw[at] != ord("1") else ord("2")
    file.write_bytes(bytes(raw))
    with pytest.raises(SetupError, match=f"{name} of .*folder (was changed after the export|is damaged)"):
        load_model(tmp_path / "folder")


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    text, empty, other = tmp_path / "text", tmp_path / "empty", tmp_path / "other.zip"
    text.write_text("hello")
    empty.mkdir()
    with zipfile.ZipFile(other, "w") as opened:
        opened.writestr("readme", "hello")
    for path, sentence in (
        (tmp_path / "gone", "there is no .*gone; give the archive"),
        (text, "text is no archive of an exported model"),
        (empty, r"empty has no model\.json"),
        (other, "is no export: .*model.json"),
    ):
        with pytest.raises(SetupError, match=sentence):
            load_model(path)
    for told, sentence in (({"a": 1}, "describes no export of ART"), ({"art_training_export": 99}, "format 99")):
        with zipfile.ZipFile(other, "w") as opened:
            opened.writestr(bundle.DESCRIPTION, json.dumps(told))
            opened.writestr(bundle.TENSORS, b"")
        with pytest.raises(SetupError, match=sentence):
            load_model(other)


def test_a_model_that_no_other_process_can_make_is_exported_and_loaded_with_its_factory(tmp_path: Path) -> None:
    class Local(Net):
        pass

    setup = art.Setup(model=art.from_torch(Local, loss=nn.CrossEntropyLoss, lr=0.1), data=DATA)
    path = tmp_path / "model.zip"
    why = export(path, [Part.of("one", setup, weights())], setup, CLASSES, call=Call(("0",), {}, "softmax"))
    assert "Local is defined inside a function" in why
    with pytest.raises(SetupError, match=r"could not be imported.*load_model\(path, factory=.*Local\)"):
        load_model(path)
    assert torch.equal(load_model(path, factory=Local)(X), expected(0))
    with pytest.raises(SetupError, match=r"as it is made here has 'weight', which the weights have not.*have changed"):
        load_model(path, factory=lambda: nn.Linear(4, 3))


def test_hyper_parameters_that_cannot_be_written_down_ask_for_a_factory_without_any(tmp_path: Path) -> None:
    setup = plain_setup(activation=lambda: nn.ReLU(inplace=True))
    path = tmp_path / "model.zip"
    why = export(path, [Part.of("one", setup, weights())], setup, CLASSES, call=Call(("0",), {}, "softmax"))
    assert "hparams['activation']: is a lambda" in why
    with pytest.raises(SetupError, match=r"could not be written down.*give a factory that needs none"):
        load_model(path)
    assert torch.equal(load_model(path, factory=functools.partial(Net, 5))(X), expected(0))


def test_the_optimiser_is_no_part_of_the_model_and_a_modifier_is() -> None:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1, weight_decay=0.0)
    setup = art.Setup(model=model, data=DATA, hparams={"lr": 0.2, "width": 6})
    assert parts_of(setup) == (Net, {"width": 6})
    factory, hparams = parts_of(art.Variant(model=twice).apply(setup))
    made = make(factory, hparams)
    assert isinstance(made, nn.Sequential)
    assert made[0].net[0].out_features == 6


def test_a_modified_model_is_made_again_from_its_base_and_its_modifier(tmp_path: Path) -> None:
    setup = art.Variant(model=twice).apply(plain_setup())
    torch.manual_seed(0)
    made = make(*parts_of(setup))
    path = tmp_path / "model.zip"
    one = Part.of("one", setup, made.state_dict())
    assert not export(path, [one], setup, CLASSES, call=Call(("0",), {}, "softmax"))
    with torch.no_grad():
        assert torch.equal(load_model(path)(X), made(X).softmax(1))


def test_weights_are_found_under_the_name_that_an_engine_gives_them() -> None:
    net = Net()
    wrapped = {f"model.{name}": value for name, value in net.state_dict().items()} | {"loss.weight": torch.ones(3)}
    assert set(weights_for(net, wrapped)) == set(net.state_dict())
    load(Net(), wrapped)


def test_ways_to_call_forward_are_found_from_the_batch() -> None:
    batch = {"left": torch.ones(2, 2), "right": torch.zeros(2, 2), "label": torch.tensor([0, 1])}
    model = art.from_torch(Named, loss=nn.CrossEntropyLoss, lr=0.1)
    task = Task(TaskKind.CLASSIFICATION, inputs=("left", "right"), target="label", activation="softmax")
    setup = art.Setup(model=model, data=art.data(train=(X, Y)))
    torch.manual_seed(0)
    net = Named()
    call = calls_of(setup, net, batch, task)[0]
    assert call.named == {"left": "left", "right": "right"}
    with torch.no_grad():
        assert torch.equal(call(net, batch), net(batch["left"], batch["right"]).softmax(1))
        with pytest.raises(SetupError, match="a batch has no entry 'right'"):
            call(net, {"left": batch["left"]})


def test_a_forward_that_takes_the_batch_is_given_it_and_needs_no_target() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Named()

        def forward(self, batch: Any) -> torch.Tensor:
            return self.net(batch["left"], batch["right"])

    batch = {"left": torch.ones(2, 2), "right": torch.zeros(2, 2), "label": torch.tensor([0, 1])}
    task = Task(TaskKind.CLASSIFICATION, inputs=("left", "right"), target="label", activation="softmax")
    setup = art.Setup(model=Whole, data=art.data(train=(X, Y)))
    net = Whole()
    call = next(one for one in calls_of(setup, net, batch, task) if one.whole)
    bare, path = untargeted(batch, task)
    assert path == "label"
    assert list(bare) == ["left", "right"]
    with torch.no_grad():
        assert torch.equal(call(net, bare), net(batch).softmax(1))
        with pytest.raises(SetupError, match=r"Whole\.forward takes a batch, and a tensor of shape \(2, 2\) was given"):
            call(net, batch["left"])


@pytest.mark.parametrize(
    ("batch", "task"),
    [
        ({"left": X, "right": X}, Task(TaskKind.OTHER)),
        ((X,), Task(TaskKind.RECONSTRUCTION, inputs=("0",), target="0")),
        (X, Task(TaskKind.RECONSTRUCTION, inputs=("",), target="")),
    ],
)
def test_a_batch_stays_whole_where_its_target_cannot_be_told_or_is_the_input(batch: Any, task: Task) -> None:
    bare, path = untargeted(batch, task)
    assert bare is batch
    assert not path


def test_a_module_without_forward_is_asked_through_its_step() -> None:
    class Stepping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def validation_step(self, batch: Any, index: int) -> None:
            nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    module = Stepping()
    module.net.load_state_dict(weights())
    assert torch.equal(by_step(module.eval(), (X, Y), CLASSES, None), expected(0))
    with pytest.raises(SetupError, match="neither validation_step nor training_step"):
        by_step(Net(), (X, Y), CLASSES, None)


def test_a_step_that_needs_a_trainer_is_told_with_what_to_define() -> None:
    class Needs(nn.Module):
        def validation_step(self, batch: Any, index: int) -> None:
            raise RuntimeError("no trainer")

    with pytest.raises(SetupError, match=r"cannot be asked without a Trainer.*no trainer.*define forward"):
        by_step(Needs(), (X, Y), CLASSES, None)


def test_code_that_changed_is_said_when_the_weights_still_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "changing.py"
    source = textwrap.dedent(
        """
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Linear(4, 3)
            def forward(self, x):
                return self.net(x)
        """
    )
    file.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    import changing  # type: ignore[import-not-found]

    setup = art.Setup(model=art.from_torch(changing.Net, loss=nn.MSELoss, lr=0.1), data=DATA)
    path = tmp_path / "model.zip"
    one = Part.of("one", setup, changing.Net().state_dict())
    assert not export(path, [one], setup, VALUES, call=Call(("0",)))
    file.write_text(source.replace("self.net(x)", "-1.0 * self.net(x)  # the other way"))
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    del sys.modules["changing"]
    try:
        with pytest.warns(UserWarning, match=r"the code of .*Net is not what it was when model\.zip was exported"):
            load_model(path)
    finally:
        sys.modules.pop("changing", None)


@pytest.mark.slow
def test_a_new_process_predicts_the_same_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lonely.py"
    file.write_text(f"from torch import nn\n{NET}")
    monkeypatch.syspath_prepend(tmp_path)
    import lonely  # type: ignore[import-not-found]

    setup = art.Setup(model=art.from_torch(lonely.Net, loss=nn.MSELoss, lr=0.1), data=DATA)
    path = tmp_path / "model.zip"
    one = Part.of("one", setup, lonely.Net().state_dict())
    assert not export(path, [one], setup, VALUES, call=Call(("0",)))
    predicted = of_parts([one], VALUES, call=Call(("0",)))((X, Y))
    found = verify(path, (X, Y), predicted, tmp_path)
    assert found.difference == 0, found.why
    far = verify(path, (X, Y), predicted + 0.5, tmp_path)
    assert far.difference == pytest.approx(0.5)
    file.unlink()
    gone = verify(path, (X, Y), predicted, tmp_path)
    assert gone.difference is None
    assert gone.unanswered
    assert "lonely cannot be imported here" in gone.why
    file.write_text(f"from torch import nn\n{NET.replace('nn.Linear(4, 3)', 'nn.Linear(4, 2)')}")
    other = verify(path, (X, Y), predicted, tmp_path)
    assert "the weights do not fit Net" in other.why
    assert not other.unanswered
    file.write_text("raise SystemExit('not today')")
    ended = verify(path, (X, Y), predicted, tmp_path)
    assert ended.unanswered
    assert ended.why == "a new process could not load it: not today"
    late = verify(path, (X, Y), predicted, tmp_path, seconds=0.01)
    assert late.unanswered
    assert late.why == "a new process did not load it within 0.01 seconds"
    sys.modules.pop("lonely", None)


NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 3)

    def forward(self, x):
        return self.net(x)
"""
