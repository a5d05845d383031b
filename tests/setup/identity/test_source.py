import linecache
from collections.abc import Callable
from typing import Any

import pytest

from art_training.setup.identity.source import bytecode_digest, module_digest, source_of


def executed(source: str, filename: str, *, known: bool = True) -> Any:
    if known:
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": "cell"}
    exec(compile(source, filename, "exec"), namespace)
    return namespace["f"]


def digest(function: Any) -> str:
    return source_of(function.__code__, function.__globals__).digest


SOURCES = [
    "def f(x):\n    return x + 1\n",
    "def f(x):\n    return x + 2\n",
    "def f(x):\n    return x - 1\n",
    "def f(y):\n    return y + 1\n",
    "def f(x, *, z=3):\n    return x + 1\n",
    "def f(x):\n    return 'x' + 1\n",
    "def f(x):\n    return x + 1.0\n",
    "def f(x):\n    return x + True\n",
    "def f(x):\n    def g(): return 1\n    return x + 1\n",
    "async def f(x):\n    return x + 1\n",
    "f = lambda x: x + 1\n",
    "f = lambda x: x + 2\n",
]


@pytest.mark.parametrize("known", [True, False])
def test_different_functions_have_different_digests(known: bool) -> None:
    # Without its source, a lambda is the function that it is.
    sources = SOURCES if known else SOURCES[:-2]
    found = [digest(executed(source, f"<cell {n} {known}>", known=known)) for n, source in enumerate(sources)]
    assert len(set(found)) == len(sources)


@pytest.mark.parametrize("known", [True, False])
def test_what_says_nothing_changes_nothing(known: bool) -> None:
    plain = "def f(x):\n    y = 3\n    return x + y\n"
    dressed = (
        'import os\n\ndef f(x: int) -> int:\n    "A docstring."\n    y = 3  # three\n    return (x +\n        y)\n'
    )
    assert digest(executed(plain, f"<plain {known}>", known=known)) == digest(
        executed(dressed, f"<dressed {known}>", known=known)
    )


def test_a_string_that_is_returned_is_no_docstring() -> None:
    one, other = (executed(f"def f():\n    return '{text}'\n", "<nowhere>", known=False) for text in "ab")
    assert bytecode_digest(one.__code__) != bytecode_digest(other.__code__)


def test_the_decorators_names_are_told() -> None:
    source = "import functools\n@functools.lru_cache(maxsize=3)\ndef f(x):\n    return x\n"
    f = executed(source, "<decorated>")
    assert source_of(f.__wrapped__.__code__, {}).decorators == (("functools", "lru_cache"),)


def test_what_was_said_of_code_stays_said() -> None:
    source = "def f():\n    return 1\n"
    f = executed(source, "<stays>")
    before = digest(f)
    linecache.cache["<stays>"] = (1, None, ["broken ("], "<stays>")
    assert digest(f) == before


def test_a_file_that_is_no_python_any_more_does_not_stop_anything() -> None:
    f = executed("def f():\n    return 1\n", "<broken>")
    linecache.cache["<broken>"] = (1, None, ["broken (\n"], "<broken>")
    assert digest(f) == bytecode_digest(f.__code__)


def test_lambdas_within_one_another_are_told_apart() -> None:
    source = "f = lambda x: (lambda y: y + 1)\n"
    outer = executed(source, "<nested>")
    inner = outer(1)
    assert digest(outer) != digest(inner)
    assert digest(inner) == digest(executed("f = lambda y: y + 1\n", "<alone>"))


def test_a_module_is_compared_without_its_comments() -> None:
    assert module_digest('"doc"\nx = 1  # one\n') == module_digest("x=1")
    assert module_digest("x = 1") != module_digest("x = 2")


def test_each_line_of_several_lambdas_finds_its_own(load: Callable[..., Any]) -> None:
    module = load(
        """
        table = {
            "a": lambda x: x,
            "b": lambda x: -x, "c": lambda x: -x, "d": lambda: None,
            "e": (lambda x:
                  x * 2),
        }
        """
    )
    found = {name: digest(function) for name, function in module.table.items()}
    assert found["b"] == found["c"]
    assert len(set(found.values())) == 4
