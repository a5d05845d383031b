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
    assert fitted.unused == {
        f"{prefix}2.weight": "it is (10, 3) there and (5, 3) here",
        f"{prefix}2.bias": "it is (10,) there and (5,) here",
        "ema.decay": "the model has none of this name; there it is (1,)",
    }
    assert torch.equal(fitted.weights["0.weight"], given[f"{prefix}0.weight"])
    assert torch.equal(fitted.weights["2.weight"], fresh["2.weight"])


def test_what_shall_be_fresh_is_though_it_would_fit() -> None:
    fitted = fit(net(5, seed=1).state_dict(), net(5).state_dict(), "a file", leave={"2.weight", "2.bias"})
    assert fitted.fresh == fitted.unused == {"2.weight": "fresh= names it", "2.bias": "fresh= names it"}


def test_what_a_file_does_not_have_is_told_with_its_shape() -> None:
    state = net(5).state_dict()
    fitted = fit({name: one for name, one in state.items() if not name.startswith("2.")}, state, "a file")
    assert fitted.fresh["2.weight"] == "there is none of this name; here it is (5, 3)"
    assert fitted.unused == {}


class Tied(nn.Module):
    """A small language model, whose last layer is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 3)
        self.head = nn.Linear(3, 7)
        self.head.weight = self.embed.weight


@pytest.mark.parametrize("kept", ["embed.weight", "head.weight"])
def test_one_tensor_of_two_names_is_taken_though_the_file_has_it_under_one(kept: str) -> None:
    """As safetensors keeps it; loaded under one name alone, the other would put the fresh values back."""
    state, model = Tied().state_dict(), Tied()
    given = {name: one for name, one in state.items() if name in {kept, "head.bias"}}
    fitted = fit(given, model.state_dict(), "a file")
    assert (fitted.fresh, fitted.unused) == ({}, {})
    model.load_state_dict(dict(fitted.weights))
    assert torch.equal(model.embed.weight, state["embed.weight"])


def test_two_tensors_for_one_are_told() -> None:
    given = {"embed.weight": torch.zeros(7, 3), "head.weight": torch.ones(7, 3), "head.bias": torch.ones(7)}
    fitted = fit(given, Tied().state_dict(), "a file")
    assert fitted.weights["head.weight"].eq(0).all()
    told = "in the model it is one tensor with another, and takes the values of embed.weight"
    assert fitted.unused == {"head.weight": told}


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
    torch.save(net(5).state_dict(), tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:900])
    torch.save({"epoch": 3}, tmp_path / "nothing.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"\x80\x01")
    with pytest.raises(SetupError, match=r"cut\.safetensors' cannot be read .*safetensors\.torch\.save_file"):
        read(tmp_path / "cut.safetensors", ENGINE)
    with pytest.raises(SetupError, match=r"cannot be read .*cut short.* torch\.save\(model\.state_dict\(\), path\)$"):
        read(tmp_path / "cut.pt", ENGINE)
    with pytest.raises(SetupError, match="holds no tensors by name"):
        read(tmp_path / "nothing.pt", ENGINE)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("held", "kind"), [("", "an empty file"), ("torch", "a text that begins with 'torch'"), ("a,b\n1,2\n", "a text")]
)
def test_a_file_of_another_kind_is_told_in_one_sentence_with_its_path(
    held: str, kind: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_text(held)
    with pytest.raises(SetupError) as told:
        read(path, ENGINE)
    assert str(told.value).startswith(f"pretrained={str(path)!r} holds no weights: it is {kind}")


def test_a_file_that_may_not_be_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.mkdir()  # no one can open a folder, not even root
    with pytest.raises(SetupError, match=r"cannot be read \(Is a directory\); give a file that can be opened"):
        read(path, ENGINE)
