"""Looks at methods and at stages of models: they see everything, change nothing, and are gone afterwards."""

import asyncio
import inspect

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

import art_training as art
from art_training.errors import UsageError
from art_training.steps import OverfitOneBatch
from art_training.stores.memory import MemoryStore


class Scaler:
    factor = 2

    def scale(self, x: int, *, by: int = 1) -> int:
        """Scale it."""
        return x * self.factor * by

    @classmethod
    def kind(cls) -> str:
        return cls.__name__

    @staticmethod
    def plain(x: int) -> int:
        return x + 1

    @property
    def double(self) -> int:
        return self.factor * 2

    async def wait(self, x: int) -> int:
        return x

    def fail(self) -> None:
        raise ValueError("no")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def test_what_goes_in_and_what_comes_out_is_seen_and_the_object_is_as_before():
    scaler, seen = Scaler(), []
    before = dict(vars(scaler))
    with art.decorate(scaler, "scale", before=lambda x, **named: seen.append((x, named)), after=seen.append):
        assert scaler.scale(3, by=5) == 30
        assert str(inspect.signature(scaler.scale)) == "(x: int, *, by: int = 1) -> int"
        assert scaler.scale.__doc__ == "Scale it."
    assert seen == [(3, {"by": 5}), 30]
    assert vars(scaler) == before
    scaler.scale(1)
    assert len(seen) == 2


def test_with_a_class_all_its_instances_are_looked_at():
    seen, before = [], dict(vars(Scaler))
    with (
        art.decorate(Scaler, "scale", before=lambda self, x: seen.append((type(self), x))),
        art.decorate(Scaler, "kind", after=seen.append),
        art.decorate(Scaler, "plain", before=seen.append, after=seen.append),
    ):
        assert Scaler().scale(1) == 2
        assert Scaler().kind() == "Scaler"
        assert Scaler.plain(4) == 5
    assert seen == [(Scaler, 1), "Scaler", 4, 5]
    assert dict(vars(Scaler)) == before


def test_an_inherited_method_is_looked_at_in_the_class_that_was_named_alone():
    class Child(Scaler):
        pass

    seen = []
    with art.decorate(Child, "scale", after=seen.append):
        Scaler().scale(1)
        Child().scale(2)
    assert seen == [4]
    assert "scale" not in vars(Child)


def test_what_a_look_returns_is_not_used_and_what_it_raises_ends_the_call():
    scaler = Scaler()
    with art.decorate(scaler, "scale", before=lambda x: 100, after=lambda x: 100):
        assert scaler.scale(1) == 2
    with art.decorate(scaler, "scale", after=lambda x: 1 / 0), pytest.raises(ZeroDivisionError):
        scaler.scale(1)
    assert "scale" not in vars(scaler)


def test_it_is_gone_after_an_exception_too():
    scaler, seen = Scaler(), []
    with pytest.raises(ValueError, match="no"), art.decorate(scaler, "fail", before=lambda: seen.append(1)):
        scaler.fail()
    assert seen == [1]
    assert vars(scaler) == {}


def test_contexts_may_end_in_any_order():
    scaler, seen = Scaler(), []
    first = art.decorate(scaler, "scale", after=lambda x: seen.append("first"))
    second = art.decorate(scaler, "scale", after=lambda x: seen.append("second"))
    first.__enter__()
    second.__enter__()
    scaler.scale(1)
    first.__exit__(None, None, None)
    scaler.scale(1)
    second.__exit__(None, None, None)
    scaler.scale(1)
    assert seen == ["first", "second", "second"]
    assert vars(scaler) == {}


def test_a_coroutine_is_looked_at_when_it_is_done():
    scaler, seen = Scaler(), []
    with art.decorate(scaler, "wait", before=seen.append, after=seen.append):
        assert asyncio.run(scaler.wait(3)) == 3
    assert seen == [3, 3]


@pytest.mark.parametrize("name", ["head", "body.0"])
def test_a_part_of_a_model_is_looked_at(name):
    net, seen = Net(), []
    with art.decorate(net, name, before=lambda x: seen.append(x.shape), after=lambda x: seen.append(x.shape)):
        net(torch.zeros(5, 3))
    net(torch.zeros(5, 3))
    assert [len(shape) for shape in seen] == [2, 2]
    assert seen[1] == ((5, 2) if name == "head" else (5, 4))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in net.modules())


def test_a_function_of_a_module_is_looked_at():
    seen = []
    with art.decorate(np, "zeros", before=seen.append):
        np.zeros(3)
    assert seen == [3]
    np.zeros(3)
    assert seen == [3]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_look_that_changes_a_tensor_in_place_is_refused(where):
    net = Net()
    with art.decorate(net, "forward", **{where: lambda x: x.zero_()}), pytest.raises(UsageError) as error:
        net(torch.ones(2, 3).requires_grad_(False))
    assert f"{where}= of Net.forward changed a tensor in place" in str(error.value)


@pytest.mark.parametrize(
    ("thing", "name", "said"),
    [
        (Scaler(), "scalle", "Scaler.scalle cannot be looked at: it has no such method (did you mean 'scale'?)"),
        (Scaler(), "factor", "it is of type int, which cannot be called"),
        (Scaler(), "double", "it is a property, not a method"),
        (Scaler(), "__repr__", "decorate(Scaler, '__repr__', ...)"),
        (Net(), "body.7", "Net has no part 'body.7'; its parts are: body, body.0, body.1, head"),
        (Net, "head", "parts of a model are there once it is made: decorate an instance"),
        ([], "append", "list.append cannot be looked at"),
    ],
)
def test_what_cannot_be_looked_at_is_said(thing, name, said):
    with pytest.raises(UsageError) as error, art.decorate(thing, name, after=print):
        pass
    assert said in str(error.value)


def test_something_must_look():
    with pytest.raises(UsageError, match="looks at nothing"), art.decorate(Scaler(), "scale"):
        pass
    with pytest.raises(UsageError, match="after=3 is no function"), art.decorate(Scaler(), "scale", after=3):
        pass


def test_a_run_is_the_same_run_with_a_look_and_without_it():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype("float32")
    data = art.data(
        train=(x, (x[:, 0] > 0).astype("int64")), validation=(x, (x[:, 0] > 0).astype("int64")), batch_size=16
    )
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss(), optimizer=lambda parameters: SGD(parameters, 0.1))
    store, seen = MemoryStore(), []

    def project() -> art.ArtProject:
        return art.ArtProject(
            "looked",
            art.Setup(model, data, trainer={"max_epochs": 1}),
            steps=[OverfitOneBatch(max_steps=20)],
            store=store,
        )

    with art.decorate(Net, "forward", before=lambda net, x: seen.append(x.shape)):
        project().run()
    assert torch.Size([16, 3]) in seen
    count = len(seen)
    assert [step.action.value for step in project().plan().steps] == ["recall"]
    with art.decorate(Net, "forward", after=lambda output: None):
        assert [step.action.value for step in project().plan().steps] == ["recall"]
    assert len(seen) == count
