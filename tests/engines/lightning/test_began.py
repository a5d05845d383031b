"""Which weights a training began with is said, also by one that was broken off and went on."""

import pytest
import torch
from torch import nn

import art_training as art
from art_training.engines import FitJob
from art_training.engines.lightning import LightningEngine, checkpoint
from art_training.engines.weights import digest_of

SETUP = art.Setup(
    model=art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1),
    data=art.data((torch.eye(2).repeat(8, 1), torch.tensor([0, 1]).repeat(8)), batch_size=4),
    trainer={"max_epochs": 4, "accelerator": "cpu"},
)


class Killed(BaseException):
    pass


def test_a_training_says_which_weights_it_began_with_though_it_was_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))
    engine = LightningEngine()
    fresh = engine.fresh_weights(SETUP, seed=3)
    start = engine.write_weights(fresh, tmp_path / "start")
    found = []

    def watch(position):
        if position.checkpoint is not None:
            kept = tmp_path / "kept.ckpt"
            kept.write_bytes(position.checkpoint.read_bytes())
            found.append(kept)
            raise Killed

    (tmp_path / "fit").mkdir()
    with pytest.raises(Killed):
        engine.fit(FitJob(SETUP, 0, tmp_path / "fit", start=start), watch)
    result = engine.fit(FitJob(SETUP, 0, tmp_path / "fit", start=start, resume=found[0]), lambda _: None)
    assert result.began == digest_of(fresh)
    assert result.last is not None
    assert digest_of(engine.weights(result.last)) != result.began


def test_a_training_that_was_given_no_weights_says_nothing(tmp_path):
    assert LightningEngine().fit(FitJob(SETUP, 0, tmp_path), lambda _: None).began == ""


def test_a_digest_tells_values_types_and_shapes_apart_and_no_order():
    one = {"a": torch.ones(2), "b": torch.zeros(2)}
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    others = [{**one, "a": torch.ones(2).double()}, {**one, "a": torch.ones(1, 2)}, {**one, "b": -torch.zeros(2)}]
    assert len({digest_of(other) for other in [one, *others]}) == 4
    assert digest_of(one, ["a"]) == digest_of({"a": torch.ones(2)})
