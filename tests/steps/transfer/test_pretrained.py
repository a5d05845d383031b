"""Weights of another training in the places of a model."""

from pathlib import Path

import pytest
import torch
from torch import nn

from art_training.engines.lightning import LightningEngine
from art_training.errors import SetupError
from art_training.steps.transfer.pretrained import fit, read

ENGINE = LightningEngine()


def net(outputs: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, outputs))


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "student.encoder."])
def test_weights_go_where_name_and_shape_agree_and_the_rest_is_told(prefix: str) -> None:
    given = {f"{prefix}{name}": one for name, one in net(10, seed=1).state_dict().items()} | {
        "ema.decay": torch.ones(1)
    }
    fresh = net(5).state_dict()
    fitted = fit(given, fresh, "a file")
    assert set(fitted.loaded) == {name for name in fresh if not name.startswith("2.")}
    assert fitted.fresh == {
        "2.weight": "it is (10, 3) there and (5, 3) here",
        "2.bias": "it is (10,) there and (5,) here",
    }
    assert set(fitted.unused) == {f"{prefix}2.weight", f"{prefix}2.bias", "ema.decay"}
    assert torch.equal(fitted.weights["0.weight"], given[f"{prefix}0.weight"])
    assert torch.equal(fitted.weights["2.weight"], fresh["2.weight"])


def test_what_shall_be_fresh_is_though_it_would_fit() -> None:
    fitted = fit(net(5, seed=1).state_dict(), net(5).state_dict(), "a file", leave=["2.weight", "2.bias"])
    assert set(fitted.fresh) == {"2.weight", "2.bias"}


def test_weights_of_another_network_are_refused_with_what_both_have() -> None:
    with pytest.raises(
        SetupError, match=r"nothing of vgg\.pt fits the model: it has stem\.weight \(9, 9\), and the model"
    ):
        fit({"stem.weight": torch.zeros(9, 9)}, net(5).state_dict(), "vgg.pt")


def test_a_state_dict_a_checkpoint_and_safetensors_read_alike(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = net(5).state_dict()
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"state_dict": state, "epoch": 3, "hyper_parameters": {"loss": nn.MSELoss()}}, tmp_path / "last.ckpt")
    save_file(state, tmp_path / "model.safetensors")
    for name in ("plain.pt", "last.ckpt", "model.safetensors"):
        found = read(tmp_path / name, ENGINE)
        assert set(found) == set(state), name
        assert all(torch.equal(found[key], state[key]) for key in state), name


def test_a_file_that_is_none_or_holds_nothing_is_refused_with_what_to_save(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not weights")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"{")
    with pytest.raises(SetupError, match=r"cut\.safetensors' cannot be read .*safetensors\.torch\.save_file"):
        read(tmp_path / "cut.safetensors", ENGINE)
    with pytest.raises(SetupError, match=r"cannot be read .*torch\.save\(model\.state_dict\(\), path\)"):
        read(tmp_path / "notes.txt", ENGINE)
    with pytest.raises(SetupError, match="holds no tensors by name"):
        read(tmp_path / "empty.pt", ENGINE)
