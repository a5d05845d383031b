"""The fingerprint of a step: everything that its result depends on, by component."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from art_training.records import Fingerprint, Plain
from art_training.setup.identity.code import CodeWalk
from art_training.setup.identity.data_digest import DataDigest
from art_training.setup.identity.origin import is_local_class, qualified_name
from art_training.setup.identity.secrets import mask_mapping
from art_training.setup.identity.storage import GivenReader
from art_training.setup.identity.written import digest_of, is_digest, shown_or_digest
from art_training.setup.setup import Setup
from art_training.setup.variant import Variant

# Settings of a Trainer that say how a training is shown, watched or kept, and cannot change what comes out of it.
CANNOT_CHANGE_A_RESULT = frozenset({
    "barebones", "default_root_dir", "enable_autolog_hparams", "enable_checkpointing", "enable_model_summary",
    "enable_progress_bar", "log_every_n_steps", "logger", "model_registry", "profiler",
})  # fmt: skip

# Callbacks that show or watch. A class of the project's own that derives from one of them may do anything, and counts.
ONLY_WATCHES = frozenset({
    "DeviceStatsMonitor", "LearningRateMonitor", "ModelSummary", "ProgressBar", "RichModelSummary", "RichProgressBar",
    "ThroughputMonitor", "TQDMProgressBar",
})  # fmt: skip

# Attributes of Lightning's own callbacks that say where they write and how much they say.
_WRITES = frozenset({"dirpath", "filename", "save_dir", "verbose"})

# Members of a step that judge its outcome. Checks stand outside a fingerprint: a changed threshold needs no training.
# What a step hands on counts where it arrives.
_JUDGING = (
    "all_checks", "carry", "configured", "consumes", "continues", "default_checks", "checks", "name", "remedy_for", "score_names",
    "needs", "uses", "may_test", "purpose", "version",
)  # fmt: skip


class Work(Protocol):
    """What a fingerprint asks of a step."""

    version: ClassVar[int]

    def configuration(self) -> Mapping[str, Any]:
        """The fields that a result depends on."""
        ...


def fingerprint(
    setup: Setup,
    *,
    step: Work,
    metrics: Mapping[str, Plain],
    seed: int,
    consumes: Mapping[str, str],
    data: DataDigest,
    code: Mapping[str, Any] | None = None,
    memo: Callable[[str], Plain] = lambda _key: None,
    remember: Callable[[str, Plain], None] = lambda _key, _value: None,
) -> Fingerprint:
    """The fingerprint of a step on a setup.

    Args:
        setup: resolved.
        step: whose class, version and configuration count, and whose code does where it is the project's own.
        metrics: what is computed, by name.
        seed: the step's own.
        consumes: digests of the outcomes that the step uses, by step.
        data: the digest of the setup's data.
        code: further code that the result depends on, by what it is, e.g. `{"metrics": MyMetric}`.
        memo: gives what was remembered under a key, or None: digests of files, by their states.
        remember: remembers a plain value under a key.
    """
    components, unknown = setup_components(setup, memo=memo, remember=remember)
    described, missed = _step_components(step)
    components |= described
    for label, root in (code or {}).items():
        walk = CodeWalk(label)
        walk.begin(root)
        components |= walk.components()
        missed = (*missed, *walk.unknown)
    components |= {f"metrics.{name}": shown_or_digest(value) for name, value in metrics.items()}
    components |= {f"consumes.{name}": digest for name, digest in consumes.items()}
    components |= {"seed": seed, **data.components}
    return Fingerprint(_without_secrets(components), tuple(dict.fromkeys((*unknown, *missed, *data.unknown))))


def setup_components(
    setup: Setup,
    *,
    memo: Callable[[str], Plain] = lambda _key: None,
    remember: Callable[[str, Plain], None] = lambda _key, _value: None,
) -> tuple[dict[str, Plain], tuple[str, ...]]:
    """What a setup adds to a fingerprint, its data apart: components by name, and what could not be resolved."""
    reading = _SetupReading(setup.hparams, memo, remember)
    reading.code("model", setup.model)
    reading.given("hparams", setup.hparams)
    if callable(setup.trainer):
        reading.code("trainer", setup.trainer)
    else:
        reading.trainer(setup.trainer)
    if setup.outputs is not None:
        reading.code("outputs", setup.outputs)
    reading.values("declarations", setup.declarations)
    reading.values("task", dict(setup.declared.items()))
    reading.components["engine"] = setup.engine
    return _without_secrets(reading.finished()), reading.unknown


def variant_components(variant: Variant) -> dict[str, Plain]:
    """What a variant adds to a fingerprint: its settings, and the code of its modifiers. Its note counts for nothing."""
    reading = _SetupReading(variant.hparams)
    reading.given("hparams", variant.hparams)
    reading.trainer(variant.trainer)
    for part in ("model", "data"):
        if (modifier := getattr(variant, part)) is not None:
            reading.code(part, modifier)
    return _without_secrets(reading.finished())


class _SetupReading:
    """Reads the parts of a setup; code that is met in a part is called by it, e.g. `hparams: my_init`."""

    def __init__(
        self,
        hparams: Mapping[str, Any],
        memo: Callable[[str], Plain] = lambda _key: None,
        remember: Callable[[str, Plain], None] = lambda _key, _value: None,
    ) -> None:
        self.components: dict[str, Plain] = {}
        self._hparams = hparams
        self._homes: set[str] = set()
        self._walks: dict[str, CodeWalk] = {}
        self._files = GivenReader(self._met, self._homes, memo=memo, remember=remember)

    def code(self, label: str, root: Any) -> None:
        """The code of a callable."""
        self._walk(label).begin(root)
        self._walk(label).finish()  # walked now, so that the project's folders are known to what is read next

    def given(self, label: str, values: Mapping[str, Any]) -> None:
        """A mapping whose values a constructor acts on: the files that they name count."""
        for name, value in values.items():
            self.components[f"{label}.{name}"] = shown_or_digest(self._files.read(value, f"{label}.{name}"))

    def values(self, label: str, values: Mapping[str, Any]) -> None:
        """A mapping, one component a key."""
        for name, value in values.items():
            self._value(label, f"{label}.{name}", value)

    def trainer(self, settings: Mapping[str, Any]) -> None:
        """The settings of a Trainer that can change a result, callbacks attribute by attribute."""
        for name, value in settings.items():
            if name == "callbacks":
                callbacks = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
                for callback in callbacks:
                    if callback is not None and not _only_watches(callback):
                        self._callback(callback)
            elif name not in CANNOT_CHANGE_A_RESULT:
                self._value("trainer", f"trainer.{name}", value)

    def finished(self) -> dict[str, Plain]:
        """All components."""
        held = frozenset(self._files.held)
        for walk in self._walks.values():
            walk.held = held
            self.components |= walk.components()
        return self.components

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be resolved, in words."""
        found = (f"hparams: {text}" for text in self._files.unknown)
        return (*found, *(text for walk in self._walks.values() for text in walk.unknown))

    def _met(self, thing: Any) -> None:
        self._walk("hparams").meet(thing)

    def _callback(self, callback: Any) -> None:
        name = f"trainer.{type(callback).__qualname__.rpartition('.')[2]}"
        unique, count = name, 1
        while unique in self.components:  # two callbacks of one class
            count += 1
            unique = f"{name} #{count}"
        self.components[unique] = qualified_name(type(callback))
        self._walk("trainer").meet(type(callback))
        for attribute, value in _constructed(callback).items():
            self._value("trainer", f"{unique}.{attribute}", value)

    def _value(self, label: str, name: str, value: Any) -> None:
        self.components[name] = shown_or_digest(self._walk(label).values.read(value, name))

    def _walk(self, label: str) -> CodeWalk:
        if label not in self._walks:
            self._walks[label] = CodeWalk(label, homes=self._homes, given=self._hparams, digest=self._digest)
        return self._walks[label]

    def _digest(self, path: Path) -> str:
        return self._files.tree(path).digest


def _step_components(step: Work) -> tuple[dict[str, Plain], tuple[str, ...]]:
    kind = cast("type[Any]", type(step))
    walk = CodeWalk("step", leave_out=_JUDGING)
    components: dict[str, Plain] = {"step": kind.__qualname__, "step.version": cast("Plain", step.version)}
    if is_local_class(kind):
        walk.meet(kind)
    for name, value in step.configuration().items():
        components[f"step.{name}"] = shown_or_digest(walk.values.read(value, f"step.{name}"))
    return {**components, **walk.components()}, walk.unknown


def _only_watches(callback: Any) -> bool:
    kind = cast("type[Any]", type(callback))
    return not is_local_class(kind) and any(base.__name__ in ONLY_WATCHES for base in kind.__mro__)


def _constructed(callback: Any) -> dict[str, Any]:
    """The state of a callback that its constructor was given, or all of it where the two do not match by name."""
    state: dict[str, Any] = dict(getattr(callback, "__dict__", {}))
    given = _parameters(cast("type[Any]", type(callback)))
    named = {name: state[kept] for name in given for kept in (name, f"_{name}") if kept in state}
    chosen = named if given and set(named) == set(given) else state
    # The same names on a class of the project's own may mean anything.
    unnamed = frozenset[str]() if is_local_class(cast("type[Any]", type(callback))) else _WRITES
    return {name: value for name, value in chosen.items() if name not in unnamed}


def _parameters(kind: type[Any]) -> list[str]:
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):  # a constructor written in C
        return []
    variable = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return [parameter.name for parameter in parameters if parameter.kind not in variable]


def _without_secrets(components: Mapping[str, Plain]) -> dict[str, Plain]:
    """What is or may be a secret counts by its digest, and is not kept."""
    masked = mask_mapping(components)
    return {
        name: value if is_digest(value) or masked[name] == value else digest_of(value)
        for name, value in components.items()
    }
