"""The project's own code that an object reaches, as components of a fingerprint: one a function, one a constant.

From a root (a class, a function, a partial, an object) the walk follows bases and members of classes, globals and modules
that functions name, closures, defaults, decorators, and whatever code the constants on the way hold. Libraries are only
named: their versions belong to the provenance of a run.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

from art_training.records import Plain, digest_component
from art_training.setup.identity.calls import Calls, Chain
from art_training.setup.identity.files import tree_of
from art_training.setup.identity.imported import imported_sources
from art_training.setup.identity.late import late
from art_training.setup.identity.members import bases_of, fields_of, members_of
from art_training.setup.identity.origin import (
    home_of,
    is_local_class,
    is_local_file,
    is_local_module,
    module_name,
    portable,
    qualified_name,
    short_name,
)
from art_training.setup.identity.parts import Part, cells, is_code, is_local_code, named_parts
from art_training.setup.identity.reads import Reads, name_of
from art_training.setup.identity.references import references
from art_training.setup.identity.resolve import Missing, resolve
from art_training.setup.identity.source import source_of
from art_training.setup.identity.state import state_of
from art_training.setup.identity.values import ValueReader
from art_training.setup.identity.written import digest_of, shown_or_digest


def code_components(
    root: Any, *, label: str, leave_out: Collection[str] = ()
) -> tuple[dict[str, Plain], tuple[str, ...]]:
    """The code that `root` reaches.

    Args:
        root: a class, a function, a partial, or an object whose class and state are walked.
        label: what the root is to the setup, e.g. `model`; it begins each component's name.
        leave_out: names of members of classes that are not walked.

    Returns:
        components by name, e.g. `model: DigitsNet.forward`, and what could not be resolved, in words.
    """
    walk = CodeWalk(label, leave_out=leave_out)
    walk.begin(root)
    return walk.components(), walk.unknown


class CodeWalk:
    """One walk over code. `meet` adds a root; `components` walks whatever is still waiting.

    Attributes:
        values: reads the constants on the way.
        files: where the code that was walked is written, `<stdin>` and cells of notebooks included.
        mentioned: every name that occurs in it.
        held: names of arguments whose paths are compared elsewhere.
    """

    def __init__(
        self,
        label: str,
        *,
        leave_out: Collection[str] = (),
        homes: set[str] | None = None,
        given: Mapping[str, Any] | None = None,
        watched: bool = False,
        digest: Callable[[Path], str] = lambda path: tree_of(path).digest,
    ) -> None:
        """Begin a walk.

        Args:
            label: begins each component's name.
            leave_out: names of members of classes that are not walked.
            homes: folders of the project, shared with the caller.
            given: arguments that the root is called with.
            watched: whether what the code opens is seen as it runs, and so need not be told before.
            digest: of the content of a file or a folder.
        """
        self.values = ValueReader(self.meet, homes)
        self.held: frozenset[str] = frozenset()
        self._given = dict(given or {})
        self._watched = watched
        self._digest = digest
        self._functions: list[FunctionType] = []
        self._judged = 0
        self._untold: dict[str, None] = {}
        self.files: set[str] = set()
        self.mentioned: set[str] = set()
        self._label = label
        self._leave_out = frozenset(leave_out)
        self._waiting: deque[Any] = deque()
        self._met: dict[int, Any] = {}
        self._parts: list[Part] = []
        self._missing: dict[str, None] = {}

    def meet(self, thing: Any) -> None:
        """Walk `thing`, unless it was met before."""
        if id(thing) not in self._met:
            self._met[id(thing)] = thing  # kept, so that its id stays its own
            self._waiting.append(thing)

    def begin(self, root: Any) -> None:
        """Walk a root. Of an object that is no code itself, class and state are walked."""
        if is_code(root) or isinstance(root, ModuleType):
            self.meet(root)
            return
        kind = cast("type[Any]", type(root))
        self.meet(kind)
        try:
            state = state_of(root)
        except Exception as error:  # noqa: BLE001  The state of a user's object may raise anything.
            self._missing[f"the state of a {kind.__qualname__} cannot be read: {type(error).__name__}: {error}"] = None
            return
        for name, value in state.items():
            self._state(str(name), value)

    def components(self) -> dict[str, Plain]:
        """Everything found, by name."""
        self._judge()
        return named_parts(self._label, self._parts)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be resolved, in words."""
        self._judge()
        return tuple(f"{self._label}: {text}" for text in (*self._missing, *self._untold, *self.values.unknown))

    def finish(self) -> None:
        """Walk whatever is waiting."""
        while self._waiting:
            self._visit(self._waiting.popleft())

    def _judge(self) -> None:
        self.finish()
        if not self._watched and self._judged != len(self._functions):
            self._judged = len(self._functions)
            self._opened()

    def _opened(self) -> None:
        """The files that the functions open count by their content."""
        reads = Reads(self._given, self.held, self.values.homes)
        self._untold = {
            f"{name_of(function)} calls {call}, and what it reads cannot be told; name the file in hparams": None
            for function, call in reads.untold(self._functions)
        }
        for path in reads.paths:
            name = portable(path, self.values.homes).removeprefix("<project>/")
            try:
                self._part("", f"content of {name}", digest_component(self._digest(Path(path))))
            except (OSError, ValueError) as error:
                self._untold[f"the files {path!r} cannot be read: {error}"] = None

    def _visit(self, thing: Any) -> None:
        if isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, FunctionType):
            self._function(thing)
        elif isinstance(thing, MethodType):
            self.meet(thing.__func__)
            self._owner(thing.__self__)
        elif isinstance(thing, functools.partial):
            self._partial(cast("functools.partial[Any]", thing))
        elif isinstance(thing, staticmethod | classmethod):
            self.meet(cast("Any", thing).__func__)
        elif isinstance(thing, property):
            for function in (thing.fget, thing.fset, thing.fdel):
                self._wrapped(function)
        elif isinstance(thing, functools.cached_property):
            self.meet(cast("functools.cached_property[Any]", thing).func)
        elif isinstance(thing, ModuleType):
            self._module(thing)
        else:
            self._wrapped(getattr(thing, "__wrapped__", None))

    def _wrapped(self, function: Any) -> None:
        if function is not None:
            self.meet(function)

    def _owner(self, owner: Any) -> None:
        if isinstance(owner, type):
            self.meet(owner)
        else:
            self.values.read(owner, qualified_name(owner))

    def _class(self, kind: type) -> None:
        if not is_local_class(kind):
            return
        module, name = module_name(kind.__module__), short_name(kind.__qualname__)
        if kind.__bases__ != (object,):
            self._part(module, f"bases of {name}", bases_of(kind))
        for base in kind.__mro__[1:]:
            self.meet(base)
        if annotated := fields_of(kind):
            self._part(module, f"fields of {name}", annotated)
        for member, value in members_of(kind):
            if member in self._leave_out:
                continue
            if is_code(value):
                self.meet(value)
            else:
                self._value(module, f"{name}.{member}", value)

    def _function(self, function: FunctionType) -> None:
        self._wrapped(getattr(function, "__wrapped__", None))
        code = function.__code__
        if not is_local_file(code.co_filename):
            self._closure_of_library(function)
            return
        module, name = module_name(function.__globals__.get("__name__")), short_name(code.co_qualname)
        home = home_of(code.co_filename)
        if home is not None:
            self.values.homes.add(home)
        source = source_of(code, function.__globals__)
        found = references(code)
        self.files.add(code.co_filename)
        self.mentioned |= found.mentioned
        named: dict[str, str] = {}
        for chain in dict.fromkeys((*found.names, *source.decorators)):
            named |= self._reach(chain, function.__globals__, name)
        digest = digest_of([source.digest, dict(sorted(named.items()))]) if named else digest_component(source.digest)
        self._part(module, name, digest)
        for statement in found.imports:
            self._imported(statement, function.__globals__)
        self._functions.append(function)
        self._made_when_run(function, name, source.calls)
        self._closure(module, name, function)
        self._defaults(module, name, function, source.literals)

    def _reach(self, chain: Chain, namespace: Mapping[str, Any], owner: str) -> dict[str, str]:
        """Follow a name. What it means in a library is returned, and belongs to the function's digest."""
        found = resolve(chain, namespace)
        if isinstance(found, Missing):
            if not found.quiet:
                self._missing[f"{'.'.join(chain)}, which {owner} names, is not defined"] = None
            return {}
        if found.library:
            return {chain[0]: found.library}
        if is_code(found.value):
            self.meet(found.value)
            return {}
        self._constant(module_name(found.module), ".".join(found.path), found.value)
        return {}

    def _made_when_run(self, function: FunctionType, name: str, calls: Calls | None) -> None:
        """Modules imported by name, code in texts, and variables of the environment."""
        found = late(function, calls, self._given)
        for statement in found.imports:
            self._imported(statement, function.__globals__)
        self._missing |= dict.fromkeys(f"{name} {what}" for what in found.unknown)
        if self._watched:
            return
        for variable in found.variables:
            self._part("", f"environment {variable}", shown_or_digest(os.environ.get(variable)))
        if found.asks:
            self._missing[f"{name} asks for the environment, and for what cannot be told before it runs"] = None

    def _imported(self, statement: Any, namespace: Mapping[str, Any]) -> None:
        for module, digest in imported_sources(statement, namespace):
            self._part("", f"module {module}", digest_component(digest))

    def _closure(self, module: str, name: str, function: FunctionType) -> None:
        for variable, value in cells(function):
            if variable == "__class__" or is_code(value):
                self.meet(value)
            else:
                self._value(module, f"{name}.{variable}", value)

    def _closure_of_library(self, function: FunctionType) -> None:
        """A library's decorator keeps the project's function in its closure, itself or in a list or a registry."""
        for _name, value in cells(function):
            held = [value]
            if isinstance(value, dict):
                held = list(cast("dict[Any, Any]", value).values())
            elif isinstance(value, list | tuple):
                held = list(cast("list[Any]", value))
            for item in held:
                if is_local_code(item):
                    self.meet(item)

    def _defaults(self, module: str, name: str, function: FunctionType, literals: Collection[str]) -> None:
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        named = [*zip(positional[len(positional) - len(defaults) :], defaults, strict=True)]
        for argument, value in (*named, *(function.__kwdefaults__ or {}).items()):
            if argument in literals:
                continue
            if is_code(value):
                self.meet(value)
            self._value(module, f"{name}({argument}=)", value)

    def _partial(self, partial: "functools.partial[Any]") -> None:
        if is_code(partial.func):
            self.meet(partial.func)
        name = short_name(getattr(partial.func, "__qualname__", type(partial.func).__qualname__))
        module = module_name(getattr(partial.func, "__module__", None))
        if not is_code(partial.func):
            self._value(module, name, partial.func)
        for position, value in enumerate(partial.args):
            self._value(module, f"{name}({position})", value)
        for argument, value in partial.keywords.items():
            self._given.setdefault(argument, value)
            self._value(module, f"{name}({argument}=)", value)

    def _module(self, module: ModuleType) -> None:
        if not is_local_module(module):
            return
        for name, value in list(vars(module).items()):
            if name.startswith("__") or isinstance(value, ModuleType):
                continue
            if not is_code(value):
                self._constant(module_name(module.__name__), name, value)
            elif getattr(value, "__module__", None) == module.__name__:
                self.meet(value)

    def _state(self, name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in cast("Mapping[Any, Any]", value).items():
                self._given.setdefault(str(key), item)
                self._value("", f"{name}.{key}", item)
        else:
            self._value("", name, value)

    def _constant(self, module: str, name: str, value: Any) -> None:
        """A constant of a module is always called with its module, because its own name says little."""
        self._value("", f"{module}.{name}", value)

    def _value(self, module: str, name: str, value: Any) -> None:
        self._part(module, name, shown_or_digest(self.values.read(value, f"{module}.{name}" if module else name)))

    def _part(self, module: str, name: str, value: Plain) -> None:
        self._parts.append(Part(module, name, value))
