"""A function of the evidence as a check."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, cast, overload

from art_training.checks.check import Answer, Check, failed, passed
from art_training.checks.evidence import Evidence
from art_training.errors import CheckError
from art_training.records import Outcome, Plain, Score, plain
from art_training.setup.identity.code import code_components
from art_training.setup.identity.origin import qualified_name
from art_training.setup.identity.source import source_of
from art_training.setup.identity.written import digest_hex

Judge = Callable[..., Any]


@dataclass(frozen=True)
class FunctionCheck(Check):
    """A function of the evidence. It answers with a bool, `(bool, reason)` or an `Answer`.

    Called with keyword arguments it gives the same check with these arguments, so that one function serves several
    limits: `few_errors(limit=3)`.

    Attributes:
        function: called with the evidence and the arguments.
        text: how it reads; the function's name by default. May name arguments in braces: `at most {limit} errors`.
        arguments: further keyword arguments of the function.
    """

    function: Judge
    text: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        name = getattr(self.function, "__name__", repr(self.function))
        if not callable(self.function) or isinstance(self.function, type):
            raise CheckError(f"@check was given {self.function!r}; decorate a function whose argument is the evidence")
        if inspect.iscoroutinefunction(self.function):
            raise CheckError(f"@check was given the coroutine {name!r}; write it with def, not async def")
        try:
            inspect.signature(self.function).bind_partial(None, **self.arguments)
        except TypeError as error:
            raise CheckError(f"check {name!r} cannot be called: {error}; its arguments are {self._accepts()}") from None
        if not self.text:
            object.__setattr__(self, "text", name.replace("_", " ").strip())

    def __call__(self, **arguments: Any) -> "FunctionCheck":
        """The same check with these arguments."""
        return dataclasses.replace(self, arguments={**self.arguments, **arguments})

    def __hash__(self) -> int:
        return hash((self.function, self.text))

    @property
    def title(self) -> str:
        """The text with its arguments."""
        values = {**self._defaults(), **self.arguments}
        try:
            text = self.text.format(**values)
        except (LookupError, ValueError, AttributeError):  # braces that are not meant for us
            text = self.text
        if text == self.text and self.arguments:
            text += f" ({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"
        return text

    @property
    def configuration(self) -> Mapping[str, Plain]:
        """Its name, arguments and code, so that a changed function is seen."""
        return {
            "check": getattr(self.function, "__qualname__", qualified_name(self.function)),
            "arguments": plain(self.arguments),
            "code": _digest(self.function),
        }

    def judge(self, evidence: Evidence) -> Answer:
        """Call the function and read its answer."""
        try:
            inspect.signature(self.function).bind(evidence, **self.arguments)
        except TypeError as error:
            raise CheckError(f"check {self.text!r} needs {error}; give it as in check(name=value)") from None
        return self._read(self.function(evidence, **self.arguments))

    def _read(self, answer: Any) -> Answer:
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, tuple) and len(cast("tuple[Any, ...]", answer)) == 2:
            verdict, reason = cast("tuple[Any, Any]", answer)
            if (held := _truth(verdict)) is not None and isinstance(reason, str):
                return passed(reason) if held else failed(reason)
        if (held := _truth(answer)) is not None:
            return passed(self.title) if held else failed(f"not {self.title}")
        if answer is None:
            raise CheckError(f"check {self.text!r} returned nothing; return True or False, or (True or False, 'why')")
        raise CheckError(f"check {self.text!r} returned {answer!r}; return a bool, (bool, 'why') or an Answer")

    def _defaults(self) -> dict[str, Any]:
        parameters = inspect.signature(self.function).parameters.values()
        return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}

    def _accepts(self) -> str:
        return ", ".join(inspect.signature(self.function).parameters) or "none"


@overload
def check(function: Judge, /) -> FunctionCheck: ...
@overload
def check(function: None = None, /, *, title: str = "") -> Callable[[Judge], FunctionCheck]: ...
def check(function: Judge | None = None, /, *, title: str = "") -> FunctionCheck | Callable[[Judge], FunctionCheck]:
    """Make a check of a function of the evidence.

        @check
        def trained_on_enough(evidence):
            return evidence.score("train/loss").rows >= 1000

        @check(title="at most {limit} findings")
        def few_findings(evidence, limit=0):
            found = len(evidence.outcome.findings)
            return found <= limit, f"{found} findings"

        Overfit(checks=[trained_on_enough, few_findings(limit=2)])

    Args:
        function: returns a bool, `(bool, reason)` or an `Answer`; what it raises makes it errored.
        title: how it reads; the function's name by default.

    Raises:
        CheckError: it is not a function of one positional argument.
    """
    if function is None:
        return lambda later: FunctionCheck(later, title)
    return FunctionCheck(function, title)


def _truth(value: Any) -> bool | None:
    """A bool, or the one in a scalar of numpy or torch; None where there is none."""
    if isinstance(value, bool):
        return value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == () and isinstance(inner := item(), bool):
        return inner
    return None


def _digest(function: Judge) -> str:
    """Of the function's source and of the project's code, values and closures that it reaches, alike in every process."""
    components, _unknown = code_components(function, label="check")
    # What a library defines is only named by the walk; here it is the thing itself, and counts wherever it lies.
    written = inspect.unwrap(function)
    code = getattr(written, "__code__", None)
    source = source_of(code, written.__globals__).digest if isinstance(code, CodeType) else ""
    return digest_hex({"source": source, "components": dict(sorted(components.items()))})


def _rows_at_least(evidence: Evidence, limit: int = 10) -> tuple[bool, str]:
    rows = evidence.score("train/loss").rows or 0
    return rows >= limit, f"{rows} rows"


def _always(evidence: Evidence, *, answer: bool = True) -> bool:  # noqa: ARG001
    return answer


_EXAMPLE = check(title="at least {limit} rows")(_rows_at_least)
_TEN_ROWS = Evidence("Overfit", Outcome(scores={"train/loss": Score(0.5, rows=10)}))

FunctionCheck.PASSES = ((_EXAMPLE, _TEN_ROWS), (check(_always), _TEN_ROWS))
FunctionCheck.FAILS = ((_EXAMPLE(limit=11), _TEN_ROWS), (check(_always)(answer=False), _TEN_ROWS))
