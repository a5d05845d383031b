"""Looks at what goes into a method or a stage of a model, and at what comes out, without touching its code."""

import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from art_training.errors import UsageError
from art_training.records.meant import did_you_mean

_LOOK = "__art_look__"  # of a wrapped method
_KINDS = (staticmethod, classmethod)


@dataclass(eq=False)
class _Look:
    """What is called, and what stood in its place.

    Held by an object of its own, so that whoever reads the code of a wrapped method does not take the looks for a part of
    it: a run that is looked at is the same run.

    Attributes:
        name: of the method, in sentences.
        before: called with what goes in.
        after: called with what comes out.
        own: whether the object had an attribute of this name itself, and not by its class.
        raw: what it, or its class, had.
        active: whether the context lasts.
    """

    name: str
    before: Callable[..., object] | None
    after: Callable[..., object] | None
    own: bool = False
    raw: Any = None
    active: bool = True

    def enter(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if self.before is not None and self.active:
            self._call("before", self.before, (*given, *named.values()), *given, **named)

    def leave(self, output: Any) -> None:
        if self.after is not None and self.active:
            self._call("after", self.after, (output,), output)

    def _call(
        self, which: str, function: Callable[..., object], shown: tuple[Any, ...], *given: Any, **named: Any
    ) -> None:
        tensors = list(_tensors(shown))
        versions = [one._version for one in tensors]  # noqa: SLF001  The only count of changes in place that there is.
        function(*given, **named)
        if [one._version for one in tensors] != versions:  # noqa: SLF001
            raise UsageError(
                f"{which}= of {self.name} changed a tensor in place, which the training goes on with; a look only looks: "
                "change a clone()"
            )


@contextmanager
def decorate(
    obj: Any, name: str, *, before: Callable[..., object] | None = None, after: Callable[..., object] | None = None
) -> Generator[None]:
    """For as long as the context lasts, look at what goes into a method, and at what comes out.

        with art.decorate(Net, "training_step", before=lambda self, batch, index: print(batch[0].shape)):
            project.run()

    What the looks return is not used, what they raise ends the call, and the method's signature stays. Afterwards the
    object is as it was, whatever happened in between. A run is the same run with a look and without it: its steps are not
    outdated by it. Contexts may be nested, and may end in any order.

    Args:
        obj: an instance, a class, or a module. With a class, all its instances are looked at, also those that a project
            makes later; the first argument of `before` is then the instance.
        name: of a method, a static or class method, a function of a module, or of a part of an `nn.Module`, also a part of a
            part: `"body.0"`. A part's `forward` is looked at.
        before: called with what the method is called with.
        after: called with what it returns; of a coroutine function with what is awaited.

    Raises:
        UsageError: there is no such method, it cannot be replaced, neither look is given, or a look changed a tensor in place.
    """
    if before is None and after is None:
        raise UsageError(f"decorate(..., {name!r}) looks at nothing; give before=, after=, or both: functions")
    for which, function in (("before", before), ("after", after)):
        if function is not None and not callable(cast("Any", function)):
            raise UsageError(f"{which}={function!r} is no function")
    owner = _owner(obj)
    look = _Look(f"{owner}.{name}", before, after)
    with ExitStack() as stack:
        part = _part(obj, name)
        if part is not None:
            _hook(stack, part, look)
        else:
            _wrap(stack, obj, name, look)
        try:
            yield
        finally:
            look.active = False


def _hook(stack: ExitStack, part: nn.Module, look: _Look) -> None:
    handle = part.register_forward_pre_hook(lambda _, given, named: look.enter(given, named), with_kwargs=True)
    stack.callback(handle.remove)
    stack.callback(part.register_forward_hook(lambda _, __, output: look.leave(output)).remove)


def _wrap(stack: ExitStack, obj: Any, name: str, look: _Look) -> None:
    raw = inspect.getattr_static(obj, name, None)
    method = getattr(obj, name, None)
    if raw is None or not callable(method):
        raise UsageError(f"{look.name} cannot be looked at: {_why_not(obj, name, raw)}")
    is_class = isinstance(obj, type)
    if not is_class and name.startswith("__") and name.endswith("__") and not inspect.ismodule(obj):
        raise UsageError(
            f"{look.name} cannot be looked at on one instance, because Python takes such methods from the class: "
            f"decorate({type(obj).__name__}, {name!r}, ...)"
        )
    kind = next((one for one in _KINDS if is_class and isinstance(raw, one)), None)
    plain: Any = cast("Any", raw).__func__ if kind else raw if is_class else method
    wrapper: Any = _wrapped(plain, look)
    setattr(wrapper, _LOOK, look)
    look.own, look.raw = name in getattr(obj, "__dict__", {}), raw
    try:
        setattr(obj, name, kind(wrapper) if kind else wrapper)
    except (AttributeError, TypeError) as error:
        raise UsageError(f"{look.name} cannot be looked at: {error}") from None

    def restore() -> None:
        if _look_of(inspect.getattr_static(obj, name, None)) is not look:
            return  # another context, begun later, still lasts, and puts back what was there before both
        was = look
        while (earlier := _look_of(was.raw)) is not None and not earlier.active:
            was = earlier
        if was.own:
            setattr(obj, name, was.raw)
        else:
            delattr(obj, name)

    stack.callback(restore)


def _look_of(attribute: Any) -> _Look | None:
    return getattr(getattr(attribute, "__func__", attribute), _LOOK, None)


def _wrapped(method: Callable[..., Any], look: _Look) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def awaited(*given: Any, **named: Any) -> Any:
            look.enter(given, named)
            output = await method(*given, **named)
            look.leave(output)
            return output

        return awaited

    @functools.wraps(method)
    def called(*given: Any, **named: Any) -> Any:
        look.enter(given, named)
        output = method(*given, **named)
        look.leave(output)
        return output

    return called


def _part(obj: Any, name: str) -> nn.Module | None:
    """The part of a model that a name stands for; None where it stands for a method."""
    if not isinstance(obj, nn.Module):
        return None
    found = dict(obj.named_modules()).get(name)
    if found is None and "." in name:
        parts = ", ".join(part for part, _ in obj.named_modules() if part) or "none"
        raise UsageError(f"{_owner(obj)} has no part {name!r}; its parts are: {parts}")
    return found


def _why_not(obj: Any, name: str, raw: Any) -> str:
    if isinstance(raw, property):
        return "it is a property, not a method"
    if raw is not None:
        return f"it is of type {type(raw).__name__}, which cannot be called"
    if isinstance(obj, type) and issubclass(obj, nn.Module):
        return f"{obj.__name__} has no such method; parts of a model are there once it is made: decorate an instance"
    return f"it has no such method{did_you_mean(name, [one for one in dir(obj) if not one.startswith('_')])}"


def _owner(obj: Any) -> str:
    return getattr(obj, "__name__", None) or type(obj).__name__


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in what a method is given or returns: in tuples, lists and mappings, too."""
    if isinstance(value, Tensor):
        if not value.is_inference():  # which counts no changes
            yield value
    elif isinstance(value, Mapping):
        yield from (found for one in cast("Mapping[Any, Any]", value).values() for found in _tensors(one))
    elif isinstance(value, list | tuple):
        yield from (found for one in cast("list[Any]", value) for found in _tensors(one))
