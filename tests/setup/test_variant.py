"""A variant is a difference: it changes what is made of a setup, and nothing that anybody else holds."""

import functools
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines import EvaluateJob, FitJob
from art_training.engines.lightning import LightningEngine
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.data import Data
from art_training.setup.identity.data_digest import DataDigest, digest_data
from art_training.setup.identity.fingerprint import setup_components

X = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
Y = (X.sum(1) > 0).astype(np.int64)


class Net(L.LightningModule):
    def __init__(self, width: int = 8, lr: float = 0.1) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(nn.Linear(4, width), nn.ReLU())
        self.head = nn.Linear(width, 2)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return functional.cross_entropy(self.head(self.body(batch[0])), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.training_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Rows(L.LightningDataModule):
    """Holds its arrays from the beginning, as a careless one does."""

    batch_size = 16

    def __init__(self) -> None:
        super().__init__()
        self.x, self.y = torch.from_numpy(X), torch.from_numpy(Y)

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(self.x, self.y), batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(self.x, self.y), batch_size=self.batch_size)


def with_dropout(module: Any) -> Any:
    module.head = nn.Sequential(nn.Dropout(0.5), module.head)
    return module


def freeze_body(module: Any) -> Any:
    module.body.requires_grad_(False)
    return module


def zeroed(rows: Any) -> Any:
    rows.x *= 0
    return rows


def zeroed_arrays(data: Data) -> Data:
    data.parts()["train"][0][:] = 0
    return data


def forgets(_: Any) -> None:
    return None


def declared() -> Data:
    return art.data((X, Y), (X, Y))


def plain_net() -> Any:
    return art.from_torch(PlainNet, loss=nn.CrossEntropyLoss, lr=0.1)


class PlainNet(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Linear(4, width)
        self.head = nn.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x).relu())


def digest(data: Any, version: str | None = None) -> DataDigest:
    return digest_data(data, version=version, seed=0, memo=lambda _: None, remember=lambda *_: None)


def names_of_parameters(setup: art.Setup) -> list[str]:
    return [one.name for one in LightningEngine().parameters(setup)]


def batches(setup: art.Setup) -> list[Any]:
    found: list[Any] = []
    job = EvaluateJob(setup, 0, (Split.TRAIN,))
    LightningEngine().read(job, lambda _split, _loader, batch: found.append(batch), lambda _: None)
    return found


@pytest.mark.parametrize(
    ("variant", "written"),
    [
        (art.Variant(hparams={"width": 3}), "Variant(hparams={'width': 3})"),
        (art.Variant(trainer={"max_epochs": 2}, note="short"), "Variant(trainer={'max_epochs': 2}, note='short')"),
        (art.Variant(model=with_dropout), "Variant(model=with_dropout)"),
        (art.Variant(data=functools.partial(dict, a=1)), "Variant(data=dict)"),
        (art.Variant(), "Variant()"),
    ],
)
def test_a_variant_is_shown_as_it_is_written(variant: art.Variant, written: str) -> None:
    assert repr(variant) == written


def test_settings_are_laid_over_and_callbacks_are_added() -> None:
    setup = art.Setup(Net, Rows, hparams={"width": 8}, trainer={"max_epochs": 3, "callbacks": [LearningRateMonitor()]})
    stopping = EarlyStopping("val_loss")
    variant = art.Variant(hparams={"lr": 0.5}, trainer={"max_epochs": 50, "callbacks": [stopping]})
    changed = variant.apply(setup)
    assert dict(changed.hparams) == {"width": 8, "lr": 0.5}
    assert changed.trainer["max_epochs"] == 50
    assert changed.trainer["callbacks"][1:] == [stopping]
    assert dict(setup.hparams) == {"width": 8}
    assert len(setup.trainer["callbacks"]) == 1


def test_a_variant_keeps_no_hold_on_what_it_was_given() -> None:
    hparams = {"lr": 0.5}
    variant = art.Variant(hparams=hparams)
    hparams["width"] = 99
    assert variant.varies == ("hparams.lr",)


def test_it_says_what_it_varies() -> None:
    variant = art.Variant(hparams={"lr": 1}, trainer={"max_epochs": 2}, model=with_dropout, data=zeroed)
    assert variant.varies == ("hparams.lr", "trainer.max_epochs", "model", "data")
    assert art.Variant(note="nothing at all").varies == ()


def test_an_empty_variant_leaves_the_setup_as_it_is() -> None:
    setup = art.Setup(Net, Rows)
    assert art.Variant().apply(setup) is setup


@pytest.mark.parametrize(
    "model", [Net, lambda width=8: Net(width), functools.partial(Net, lr=0.2)], ids=["class", "factory", "partial"]
)
def test_a_model_modifier_changes_each_fresh_module(model: Any) -> None:
    setup = art.Setup(model, Rows, hparams={"width": 4})
    changed = art.Variant(model=with_dropout).apply(setup)
    LightningEngine().validate(changed)
    assert "head.1.weight" in names_of_parameters(changed)
    assert "head.weight" in names_of_parameters(setup)


def test_a_model_from_torch_gives_the_modifier_the_users_own_module(tmp_path: Path) -> None:
    met: list[type] = []

    def noted(module: Any) -> Any:
        met.append(type(module))
        return with_dropout(module)

    setup = art.Setup(plain_net(), declared(), hparams={"width": 4, "lr": 0.3}, trainer={"max_epochs": 1})
    changed = art.Variant(model=noted).apply(setup)
    engine = LightningEngine()
    engine.validate(changed)
    result = engine.fit(FitJob(changed, 0, tmp_path), lambda _: None)
    assert result.steps == 2
    assert set(met) == {PlainNet}
    assert changed.task.kind is art.TaskKind.CLASSIFICATION
    assert any(name.endswith("head.1.weight") for name in names_of_parameters(changed))


def test_modifiers_of_variants_of_variants_work_in_order() -> None:
    setup = art.Setup(Net, Rows)
    changed = art.Variant(model=freeze_body).apply(art.Variant(model=with_dropout).apply(setup))
    trains = {one.name: one.trains for one in LightningEngine().parameters(changed)}
    assert trains == {"body.0.weight": False, "body.0.bias": False, "head.1.weight": True, "head.1.bias": True}
    assert changed.model.modifiers == (with_dropout, freeze_body)


def test_hyper_parameters_are_checked_against_the_model_behind_a_modifier() -> None:
    changed = art.Variant(model=with_dropout, hparams={"wdith": 3}).apply(art.Setup(Net, Rows))
    assert list(inspect.signature(changed.model).parameters) == ["width", "lr"]
    with pytest.raises(SetupError, match="hparams has 'wdith', which Net does not take; it takes: width, lr"):
        LightningEngine().validate(changed)
    of_torch = art.Variant(model=with_dropout, hparams={"wdith": 3}).apply(art.Setup(plain_net(), declared()))
    with pytest.raises(SetupError, match="hparams has 'wdith', which PlainNet does not take"):
        names_of_parameters(of_torch)


@pytest.mark.parametrize("data", [Rows, Rows(), functools.partial(Rows)], ids=["class", "instance", "factory"])
def test_a_data_modifier_changes_a_datamodule_and_nothing_that_is_shared(data: Any) -> None:
    before, held = X.copy(), getattr(data, "x", None)
    setup = art.Setup(Net, data)
    changed = art.Variant(data=zeroed).apply(setup)
    assert all(not batch[0].any() for batch in batches(changed))
    assert all(batch[0].any() for batch in batches(setup))
    assert np.array_equal(X, before)
    assert held is None or (held is data.x and held.any())


def test_a_data_modifier_that_writes_into_declared_arrays_writes_into_copies() -> None:
    before = X.copy()
    setup = art.Setup(Net, declared())
    changed = art.Variant(data=zeroed_arrays).apply(setup)
    for _ in range(2):  # each job begins with what the user declared
        assert all(not batch[0].any() for batch in batches(changed))
    assert np.array_equal(X, before)
    assert all(batch[0].any() for batch in batches(setup))


def test_a_file_that_is_opened_read_only_is_not_read_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    found: list[Any] = []

    def look(data: Data) -> Data:
        found.append(data.parts()["train"][0])
        return data

    setup = art.Setup(plain_net(), art.data((mapped, Y)))
    assert len(batches(art.Variant(data=look).apply(setup))) == 2
    assert found[0] is mapped


def test_declared_data_is_given_anew_in_part(tmp_path: Path) -> None:
    def smaller(data: Data) -> Data:
        x, y = data.parts()["train"]
        return data.but(train=(x[:10], y[:10]), batch_size=5)

    setup = art.Setup(Net, art.data({"a": (X, Y), "b": (X, Y)}, (X, Y), plain_train={"a": (X, Y), "b": (X, Y)}))
    assert list(setup.data.but(batch_size=7).parts()) == list(setup.data.parts())
    assert len(batches(art.Variant(data=smaller).apply(art.Setup(Net, declared())))) == 2
    with pytest.raises(SetupError, match=r"art.data has no argument 'batchsize'; it has: batch_size, collate"):
        setup.data.but(batchsize=7)


def test_the_plain_form_is_that_of_the_modified_data(tmp_path: Path) -> None:
    def doubled(data: Data) -> Data:
        return data.but(validation=(X * 2, Y))

    setup = art.Setup(Net, art.data((X, Y), (X, Y), plain_train=(X * 0, Y)))
    changed = art.Variant(data=doubled).apply(setup)
    found: list[Any] = []
    job = EvaluateJob(changed, 0, (Split.TRAIN, Split.VALIDATION), plain=True)
    LightningEngine().read(job, lambda split, _loader, batch: found.append((split, batch)), lambda _: None)
    assert all(not batch[0].any() for split, batch in found if split is Split.TRAIN)
    assert np.allclose(torch.cat([batch[0] for split, batch in found if split is Split.VALIDATION]), X * 2)


@pytest.mark.parametrize(
    ("variant", "model", "said"),
    [
        (art.Variant(model=forgets), Net, "the modifier forgets returned nothing; return the module"),
        (art.Variant(model=forgets), plain_net(), "the modifier forgets returned nothing; return the module"),
        (art.Variant(model=lambda _: 3), Net, "the model modifier <lambda> returned 3, which is no module; return"),
        (art.Variant(data=forgets), Net, "the modifier forgets returned nothing; return the datamodule or data"),
        (art.Variant(data=lambda _: 3), Net, "the data modifier <lambda> returned 3, which is no data; return the"),
    ],
)
def test_a_modifier_that_returns_nothing_is_told_so(variant: art.Variant, model: Any, said: str) -> None:
    with pytest.raises(SetupError, match=said):
        batches_and_model(variant.apply(art.Setup(model, Rows)))


def batches_and_model(setup: art.Setup) -> None:
    LightningEngine().parameters(setup)
    batches(setup)


def test_a_field_of_declared_data_that_cannot_be_set_is_told_with_what_to_return() -> None:
    def smaller(data: Any) -> Any:
        data.batch_size = 8
        return data

    setup = art.Variant(data=smaller).apply(art.Setup(nn.Linear, art.data((np.zeros((4, 2)), np.zeros(4)))))
    with pytest.raises(SetupError, match=r"smaller sets batch_size of .*; return data\.but\(batch_size=\.\.\.\)$"):
        setup.data()


def test_what_is_no_difference_is_refused() -> None:
    with pytest.raises(SetupError, match=r"hparams=3 of a variant is not a mapping"):
        art.Variant(hparams=3)  # type: ignore[arg-type]
    with pytest.raises(SetupError, match=r"model=.*Net.* of a variant is no modifier; give a function that takes"):
        art.Variant(model=Net)
    with pytest.raises(SetupError, match="data=3 of a variant is no modifier"):
        art.Variant(data=3)  # type: ignore[arg-type]
    made = art.Setup(Net, Rows, trainer=L.Trainer)
    with pytest.raises(SetupError, match=r"sets trainer.max_epochs, but the setup makes its Trainer by a function"):
        art.Variant(trainer={"max_epochs": 3}).apply(made)


def test_the_difference_of_two_setups_names_the_modifiers() -> None:
    setup = art.Setup(plain_net(), declared())
    changed = art.Variant(model=with_dropout, data=zeroed_arrays, hparams={"lr": 0.3}).apply(setup)
    told = [str(change) for change in changed - setup]
    assert told == [
        "data.modifier.zeroed_arrays is new",
        "hparams.lr is new: 0.3",
        "model.modifier.with_dropout is new",
    ]


def test_one_variant_applied_twice_is_no_difference() -> None:
    variant = art.Variant(model=with_dropout, data=zeroed)
    setup = art.Setup(Net, Rows)
    assert variant.apply(setup) - variant.apply(setup) == ()
    assert hash(variant.apply(setup).model) == hash(variant.apply(setup).model)


def test_fingerprints_reach_the_modifiers_code_and_the_models(load: Any) -> None:
    source = """
        import art_training as art
        from torch import nn
        SHARE = {share}
        class Net(nn.Module):
            def __init__(self, width=4):
                super().__init__()
                self.layer = nn.Linear(width, {outputs})
        def factor():
            return SHARE
        def changes(module):
            module.dropout = nn.Dropout(factor())  # {comment}
            return module
        def fewer(data):
            return data.but(batch_size={batch})
        setup = art.Setup(art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1), art.data(([1.0, 2.0], [0, 1])))
        changed = art.Variant(model=changes, data=fewer).apply(setup)
    """

    def components(**values: Any) -> tuple[Mapping[str, Any], DataDigest]:
        project = load(source.format(**({"share": 0.5, "outputs": 2, "comment": "", "batch": 4} | values)))
        found, unknown = setup_components(project.changed)
        assert not unknown
        return found, digest(project.changed.data)

    (first, data), (same, data_same) = components(), components(comment="a remark")
    assert first == same
    assert (data.value, data.components) == (data_same.value, data_same.components)
    (other, unchanged), (net, _) = components(share=0.6), components(outputs=3)
    assert {name for name in first if first[name] != other[name]} == {"model: project.SHARE"}
    assert unchanged.value == data.value
    assert "model: Net.__init__" in {name for name in first if first[name] != net[name]}
    _, batch = components(batch=8)
    assert batch.value != data.value
    assert {name for name in batch.components if batch.components[name] != data.components[name]} == {
        "data modifier: fewer"
    }


def test_the_digest_of_modified_data_is_that_of_the_data_and_of_the_modifier() -> None:
    setup = art.Setup(Net, declared())
    changed = art.Variant(data=zeroed_arrays).apply(setup)
    whole, base = digest(changed.data), digest(setup.data)
    assert whole.value != base.value
    assert set(base.components) < set(whole.components)
    other = art.Variant(data=zeroed_arrays).apply(art.Setup(Net, art.data((X + 1, Y), (X, Y))))
    assert digest(other.data).value != whole.value
    assert digest(changed.data, "v1").value != digest(setup.data, "v1").value == "v1"
    assert digest(changed.data).value == whole.value


def test_constants_of_a_partial_count() -> None:
    def scaled(module: Any, by: float) -> Any:
        return module

    setup = art.Setup(Net, Rows)
    half, whole = (
        setup_components(art.Variant(model=functools.partial(scaled, by=by)).apply(setup))[0] for by in (0.5, 1.0)
    )
    assert half != whole
