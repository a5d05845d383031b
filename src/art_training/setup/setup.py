"""One configuration to train, declared once and shared by everything."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import SetupError
from art_training.records import Change, Plain, differences, plain
from art_training.records.plain import is_marked
from art_training.setup.declarations import check_declarations
from art_training.setup.frames import folding
from art_training.setup.lengths import require_training
from art_training.setup.modified import Modified, name_of
from art_training.setup.task import Task

if TYPE_CHECKING:
    from art_training.setup.inference import TaskDeclaration

_MERGED = ("hparams", "trainer", "declarations")


@dataclass(frozen=True, init=False, eq=False)
class Setup:
    """One configuration to train. Frozen; `but` makes a changed copy, and `-` tells two apart.

    Attributes:
        model: a class or any callable that returns a fresh module, or `art.from_torch(...)`.
        data: a LightningDataModule class, a factory of one, an instance, or `art.data(...)`.
        hparams: passed to `model` as keyword arguments.
        trainer: settings of the Trainer (a mapping), or a callable that returns a Trainer.
        outputs: tells predictions and targets where ART cannot see them by itself: called with the batch and with what
            the model's step returned, it gives `(predictions, targets)`.
        declared: the fields of the task that are as declared rather than inferred.
        data_version: names the state of the data and replaces the digest that ART takes of it.
        declarations: what a careful user knows and no tool can see, by name; `pretrained` says what the weights of a
            fresh model have learned already.
        engine: name of the engine.
    """

    model: Callable[..., Any]
    data: Any
    hparams: Mapping[str, Any]
    trainer: Mapping[str, Any] | Callable[..., Any]
    outputs: Callable[[Any, Any], Any] | None
    declared: "TaskDeclaration"
    data_version: str | None
    declarations: Mapping[str, Any]
    engine: str

    def __init__(
        self,
        model: Callable[..., Any],
        data: Any,
        *,
        hparams: Mapping[str, Any] | None = None,
        trainer: Mapping[str, Any] | Callable[..., Any] | None = None,
        outputs: Callable[[Any, Any], Any] | None = None,
        task: Task | Mapping[str, Any] | None = None,
        data_version: str | None = None,
        declarations: Mapping[str, Any] | None = None,
        engine: str = "lightning",
    ) -> None:
        """Declare a setup.

        Raises:
            SetupError: `model` is an instance, an argument is of the wrong kind, or the trainer's settings train nothing.
        """
        from art_training.setup.inference import declaration

        _refuse_instance(model)
        _require_mapping("hparams", hparams)
        _require_mapping("declarations", declarations)
        check_declarations(declarations or {})
        if trainer is not None and not callable(trainer):
            _require_mapping("trainer", trainer, or_else="or a callable that returns a Trainer")
            require_training(trainer)
        if outputs is not None and not callable(outputs):
            raise SetupError(
                f"outputs={outputs!r} is not callable; give a function of the batch and of what the model's step "
                "returned, which returns (predictions, targets)"
            )
        if data is None:
            raise SetupError("data=None; give a datamodule class, a factory of one, or art.data(train=..., ...)")
        values: dict[str, Any] = {
            "model": model,
            "data": data,
            "hparams": _frozen(hparams),
            "trainer": trainer if callable(trainer) else _frozen(trainer),
            "outputs": outputs,
            "declared": declaration(task),
            "data_version": data_version,
            "declarations": _frozen(declarations),
            "engine": engine,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def but(self, **changes: Any) -> "Setup":
        """A copy with changes. Mappings are merged key by key; callbacks in `trainer` are added to those there are.

        Raises:
            SetupError: a change names something that a setup does not have.
        """
        known = {field.name for field in fields(self)} - {"declared"} | {"task"}
        if unknown := sorted(set(changes) - known):
            raise SetupError(f"a setup has no {unknown[0]!r}; it has: {', '.join(sorted(known))}")
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        values["task"] = values.pop("declared")
        for name, change in changes.items():
            values[name] = merged(name, values[name], change) if name in _MERGED else change
        return Setup(**values)

    def __sub__(self, other: "Setup") -> tuple[Change, ...]:
        """What differs from `other`, which stands for before: hyper-parameter by hyper-parameter."""
        mine, theirs = self.described(), other.described()
        changes = list(differences(mine, theirs))
        for name in ("model", "data", "outputs"):
            a, b = getattr(self, name), getattr(other, name)
            told = any(change.component.partition(".")[0] == name for change in changes)
            if not _is_same(a, b) and not told and _is_opaque(a):
                changes.append(Change(name, None if b is None else plain(b), plain(a)))
        return tuple(changes)

    def described(self) -> dict[str, Plain]:
        """The setup as plain data under dotted names, as a person declared it."""
        described: dict[str, Plain] = {"engine": self.engine}
        for name in ("model", "data"):
            value = getattr(self, name)
            if isinstance(value, Modified):
                described |= {f"{name}.modifier.{name_of(one)}": plain(one) for one in value.modifiers}
                value = value.base
            described |= dict(_leaves(name, plain(value)))
        for name in ("hparams", "trainer", "declarations"):
            part = getattr(self, name)
            if callable(part):
                described[name] = plain(part)
            else:
                described |= {f"{name}.{key}": plain(value) for key, value in part.items()}
        if self.outputs is not None:
            described["outputs"] = plain(self.outputs)
        if self.data_version is not None:
            described["data_version"] = self.data_version
        described |= {f"task.{name}": plain(value) for name, value in self.declared.items()}
        return described

    @property
    @folding
    def task(self) -> Task:
        """What the setup is for, inferred from its data and from one batch through its model; inferred once.

        Raises:
            SetupError: the setup cannot be built or a batch does not pass through the model.
        """
        if "_task" not in self.__dict__:  # by hand, because a cached property shows its own frame where this raises
            from art_training.plugins import load
            from art_training.setup.inference import infer

            object.__setattr__(self, "_task", infer(self, load("engines", self.engine)()))
        return self.__dict__["_task"]


def merged(name: str, before: Any, after: Any) -> Any:
    """`after` laid over `before` key by key; a callable replaces, and is replaced by, a mapping as a whole."""
    if callable(before) or callable(after) or after is None:
        return after
    _require_mapping(name, after)
    result = {**before, **after}
    if name == "trainer" and before.get("callbacks") and after.get("callbacks"):
        result["callbacks"] = [*_listed(before["callbacks"]), *_listed(after["callbacks"])]
    return result


def _listed(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def _frozen(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(value or {}))


def _require_mapping(name: str, value: Any, or_else: str = "") -> None:
    if value is not None and not isinstance(value, Mapping):
        raise SetupError(f"{name}={value!r} is not a mapping; give {name}={{'name': value}} {or_else}".rstrip())


def _refuse_instance(model: Any) -> None:
    kind = type(model)
    if any(f"{base.__module__}.{base.__qualname__}" == "torch.nn.modules.module.Module" for base in kind.__mro__):
        raise SetupError(
            f"model is an instance of {kind.__name__}, but each step needs a fresh one: "
            f"write model={kind.__name__} with hparams={{...}}, or model=lambda: {kind.__name__}(...)"
        )
    if not callable(model):
        raise SetupError(f"model={model!r} cannot be called; give a class, a factory, or art.from_torch(...)")


def _leaves(name: str, value: Plain) -> Iterator[tuple[str, Plain]]:
    """What `art.data` and `art.from_torch` declare, one name a value; a class or a factory is one value."""
    if not isinstance(value, dict) or is_marked(value):
        yield name, value
        return
    for key, part in value.items():
        if part is not None:
            yield from _leaves(name if key == "None" else f"{name}.{key}", part)


def _is_same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, Modified) and a == b)


def _is_opaque(value: Any) -> bool:
    """Whether two such values may differ though they read the same: lambdas, partials, objects."""
    return not isinstance(value, type)
