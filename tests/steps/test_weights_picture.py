"""The first layer is found, measured and drawn, whatever it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.records import Outcome, Split
from art_training.steps import Regularize, weights_picture
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.steps.weights_picture import first_layer_picture
from art_training.stores.memory import MemoryStore

G = torch.Generator().manual_seed(0)
FLAT = torch.rand(12, 64, generator=G)
IMAGES = FLAT.reshape(12, 1, 8, 8)
COLOURS = torch.rand(12, 3, 8, 8, generator=G)
TABLE = torch.rand(12, 10, generator=G)
TOKENS = torch.randint(0, 30, (12, 5), generator=G)
Y = torch.randint(0, 2, (12,), generator=G)


@dataclass(frozen=True)
class Draws(Step):
    """Draws the first layer of a fresh model."""

    edit: Callable[[dict[str, torch.Tensor]], None] = lambda weights: None

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(max_steps=1)
        assert result.last is not None
        weights = {name: tensor.clone() for name, tensor in bench.engine.weights(result.last).items()}
        self.edit(weights)
        path = bench.engine.write_weights(weights, bench.folder / "weights.ckpt")
        reading, artifacts = first_layer_picture(bench, path)
        assert Split.TRAIN in bench.splits
        return Outcome(readings=(reading,), artifacts=artifacts)


def drawn(model: Callable[[], nn.Module], x: torch.Tensor, edit: Any = lambda weights: None) -> Outcome:
    setup = art.Setup(
        model=art.from_torch(model, loss=nn.CrossEntropyLoss, lr=0.0),
        data=art.data((x, Y), batch_size=4),
        trainer={"accelerator": "cpu"},
    )
    outcome = art.ArtProject("p", setup, steps=[Draws(edit=edit)], store=MemoryStore()).run()["Draws"].outcome
    assert outcome is not None
    return outcome


class Embeds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 6))  # one row: not a layer
        self.places = nn.Parameter(torch.zeros(5, 6))
        self.embedding = nn.Embedding(30, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((self.embedding(x) + self.places + self.token).mean(1))


CASES: dict[str, tuple[Callable[[], nn.Module], torch.Tensor, list[int], str]] = {
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 2)), IMAGES, [4, 1, 3, 3], "filters",
    ),
    "colours": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)), COLOURS, [4, 3, 3, 3], "filters",
    ),
    "flattened images": (lambda: nn.Sequential(nn.Linear(64, 5), nn.Linear(5, 2)), FLAT, [5, 64], "filters"),
    "images flattened inside": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 2)), IMAGES, [5, 64], "filters",
    ),
    "table": (lambda: nn.Sequential(nn.BatchNorm1d(10), nn.Linear(10, 2)), TABLE, [2, 10], "rows"),
    "tokens": (Embeds, TOKENS, [30, 6], "embeddings"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_first_layer_is_found_and_drawn(name: str) -> None:
    model, x, shape, kind = CASES[name]
    outcome = drawn(model, x)
    reading, (artifact,) = outcome.reading("first-layer weights"), outcome.artifacts
    assert reading.name == "first-layer weights"
    assert reading.value["shape"] == shape
    assert reading.value["dead"] == 0
    assert artifact.note.endswith(kind)
    assert artifact.kind == "figure"
    assert artifact.bytes > 1_000


def test_a_regularisation_shows_the_first_layer_of_the_weights_that_it_keeps() -> None:
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Linear(64, 2), loss=nn.CrossEntropyLoss, lr=0.1, weight_decay=0.0),
        data=art.data((FLAT, Y), (FLAT, Y), batch_size=4),
        trainer={"accelerator": "cpu", "max_epochs": 3},
    )
    step = Regularize({"decay": art.Variant(hparams={"weight_decay": 2.0})}, seeds=1, examples=0)
    store = MemoryStore()
    outcome = art.ArtProject("p", setup, steps=[step], store=store).run()["Regularize"].outcome
    assert outcome is not None
    kept, looked = outcome.artifact("last.ckpt"), outcome.reading("first-layer weights")
    assert kept is not None
    assert looked is not None
    weights = torch.load(store.artifacts.fetch(kept.digest), weights_only=False)["state_dict"]["model.weight"]
    norms = weights.norm(dim=1)
    found = [looked.value[name] for name in ("smallest norm", "largest norm")]
    assert found == pytest.approx([float(norms.min()), float(norms.max())], rel=1e-3)
    assert outcome.artifact("first-layer-weights.png") is not None


def test_dead_filters_are_counted_and_smooth_ones_are_told_from_noise() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 16, 5), nn.Flatten(), nn.Linear(256, 2))

    def noisy(weights: dict[str, torch.Tensor]) -> None:
        filters = weights["model.0.weight"]
        filters.copy_(torch.randn(filters.shape, generator=torch.Generator().manual_seed(3)))
        filters[2:5] = 0

    def smooth(weights: dict[str, torch.Tensor]) -> None:
        ramp = torch.linspace(-1, 1, 5)
        weights["model.0.weight"].copy_((ramp[:, None] + ramp)[None, None].expand(16, 1, 5, 5))

    noise, even = drawn(model, IMAGES, noisy).readings[0].value, drawn(model, IMAGES, smooth).readings[0].value
    assert noise["dead"] == 3
    assert noise["roughness"] == pytest.approx(1.0, abs=0.1)
    assert even["roughness"] < 0.2


def test_a_model_without_layers_says_so_and_without_matplotlib_numbers_stay(monkeypatch: Any) -> None:
    class Scales(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(10))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * self.scale)[:, :2]

    outcome = drawn(Scales, TABLE)
    assert outcome.readings[0].value is None
    assert not outcome.artifacts
    monkeypatch.setattr(weights_picture, "can_draw", lambda: False)
    outcome = drawn(CASES["table"][0], TABLE)
    assert outcome.readings[0].value["shape"] == [2, 10]
    assert "pip install 'art-training[plots]'" in outcome.readings[0].note
    assert not outcome.artifacts
