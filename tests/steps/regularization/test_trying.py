"""Each training of a candidate is made once, as it would be without the others, and stops none of them."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from tests.steps.regularization.digits import (
    DECAY,
    DROPOUT,
    VALIDATION,
    X,
    Y,
    project_of,
    run,
    setup_of,
    trained,
)
from torch import nn

import art_training as art
from art_training.stores.memory import MemoryStore


def test_training_is_on_the_augmented_form_and_scores_are_on_the_plain_one() -> None:
    """What is called augmented here is nonsense, so that nobody could learn the real thing from it."""
    nonsense = np.random.default_rng(0).normal(size=X.shape).astype(np.float32)
    data = art.data((nonsense, Y), VALIDATION, plain_train=(X, Y), batch_size=50)
    outcome = run({"dropout": DROPOUT}, setup=setup_of(data=data, epochs=40), seeds=1)
    reference = outcome.candidate("reference")
    assert outcome.curves["reference, seed 1/train/loss"].values[-1] < 0.3
    assert reference.scores["train/accuracy"].value < 0.4


@pytest.mark.slow
def test_what_was_tried_before_is_not_trained_again_and_more_costs_only_itself() -> None:
    store = MemoryStore()
    quick = setup_of(epochs=2)
    first = run({"decay": DECAY}, setup=quick, store=store, seeds=2)
    more = run({"decay": DECAY, "dropout": DROPOUT}, setup=quick, store=store, seeds=3)
    assert trained(first) == {f"{name}, seed {seed}" for name in ("reference", "decay") for seed in (1, 2)}
    assert trained(more) == {"reference, seed 3", "decay, seed 3", *(f"dropout, seed {seed}" for seed in (1, 2, 3))}
    renamed = run(
        {"wd": art.Variant(hparams={"weight_decay": 1.5}, note="by another name")}, setup=quick, store=store, seeds=2
    )
    assert trained(renamed) == set()
    assert "2 of the setups had been trained before" in renamed.summary
    assert renamed.scores["gain"] == first.scores["gain"]
    again = run({"wd": DECAY}, setup=quick, store=store, seeds=2, force=True)
    assert len(trained(again)) == 4
    assert again.scores["gain"].value == first.scores["gain"].value


def test_one_failed_epoch_does_not_stand_in_for_fifty() -> None:
    store = MemoryStore()
    quick = setup_of(epochs=2)
    one = run({"longer": art.Variant(trainer={"max_epochs": 1})}, setup=quick, store=store, seeds=1)
    fifty = run({"longer": art.Variant(trainer={"max_epochs": 50})}, setup=quick, store=store, seeds=1)
    assert trained(fifty) == {"longer, seed 1"}
    assert len(fifty.curves["longer, seed 1/train/loss_epoch"].values) == 50
    assert fifty.candidate("longer").scores["train/loss"].value < one.candidate("longer").scores["train/loss"].value


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Write a project's file and import it; each call stands for an edit."""

    def loaded(source: str) -> ModuleType:
        folder = tmp_path / f"edit{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "edited.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "edited", raising=False)
        return importlib.import_module("edited")

    return loaded


def test_a_modifier_that_is_edited_is_tried_again_alone(load: Callable[[str], ModuleType]) -> None:
    source = """
        from torch import nn
        def adds(module):
            module.net[2] = nn.Dropout({share})  # {remark}
            return module
    """
    store = MemoryStore()

    def tried(**values: Any) -> set[str]:
        project = load(source.format(**({"share": 0.5, "remark": ""} | values)))
        candidates = {"adds": art.Variant(model=project.adds), "decay": DECAY}
        return trained(run(candidates, setup=setup_of(epochs=1), store=store, seeds=1))

    assert len(tried()) == 3
    assert tried(share=0.6) == {"adds, seed 1"}
    # A remark changes nothing at all: the whole step is recalled, with the curves that it has.
    assert tried(share=0.6, remark="as before") == {"adds, seed 1"}


class Impatient(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and Path("stop").exists():
            Path("stop").unlink()
            raise KeyboardInterrupt
        return x


def impatient(module: Any) -> Any:
    module.net[1] = Impatient()
    return module


@pytest.mark.slow
def test_ctrl_c_stops_everything_and_the_next_run_goes_on_where_it_was() -> None:
    quick = setup_of(epochs=2)
    candidates = {"dropout": DROPOUT, "impatient": art.Variant(model=impatient), "decay": DECAY}
    project = project_of(candidates, setup=quick, seeds=2)
    Path("stop").touch()
    with pytest.raises(KeyboardInterrupt):
        project.run()
    went_on = project.run()["Regularize"].outcome
    undisturbed = run(candidates, setup=quick, seeds=2)
    assert {name: score.value for name, score in went_on.scores.items()} == {
        name: score.value for name, score in undisturbed.scores.items()
    }
    assert trained(went_on) == trained(undisturbed)
    length = {name: len(curve.values) for name, curve in undisturbed.curves.items()}
    assert {name: len(curve.values) for name, curve in went_on.curves.items()} == length
    candidate = went_on.candidate("dropout")
    assert candidate.scores["gain"] == undisturbed.candidate("dropout").scores["gain"]


def zeros(data: Any) -> Any:
    data.parts()["train"][0][:] = 0
    return data


def test_a_data_modifier_changes_neither_the_users_arrays_nor_the_next_candidate() -> None:
    before = X.copy()
    quick = setup_of(epochs=2)
    alone = run({"decay": DECAY}, setup=quick, seeds=1)
    after = run({"zeros": art.Variant(data=zeros), "decay": DECAY}, setup=quick, seeds=1)
    assert np.array_equal(X, before)
    assert after.candidate("zeros").scores["train/loss"].value > 2
    assert after.candidate("decay").scores["validation/loss"] == alone.candidate("decay").scores["validation/loss"]


def test_callbacks_begin_anew_with_every_candidate_and_seed(tmp_path: Any) -> None:
    """Stopped once, a shared one would stop all that come after it at once."""
    stopping = EarlyStopping("val_loss", patience=2, min_delta=10.0)
    setup = setup_of(epochs=10, callbacks=[stopping], check_val_every_n_epoch=1)
    outcome = run({"dropout": DROPOUT, "patient": art.Variant(hparams={"width": 32})}, setup=setup, seeds=2)
    epochs = {name: len(curve.values) for name, curve in outcome.curves.items() if name.endswith("train/loss_epoch")}
    assert len(epochs) == 6
    assert set(epochs.values()) == {3}
    assert stopping.wait_count == 0
    assert setup.trainer["callbacks"] == [stopping]


@pytest.mark.slow
def test_the_best_weights_are_scored_where_they_are_asked_for() -> None:
    best = art.Variant(trainer={"callbacks": [ModelCheckpoint(monitor="val_loss", save_top_k=1)]})
    settings: dict[str, Any] = {"setup": setup_of(epochs=60, check_val_every_n_epoch=5), "seeds": 1}
    last = run({"stops": best}, **settings)
    chosen = run({"stops": best}, weights="best", **settings)
    assert last.candidate("stops").scores["validation/loss"].value == pytest.approx(
        last.candidate("reference").scores["validation/loss"].value
    )
    assert chosen.scores["gain"].value > 0.1
