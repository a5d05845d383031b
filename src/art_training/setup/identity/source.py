"""The source of a function as a digest that comments, docstrings, annotations and formatting do not change.

What is compared is the syntax tree, written in a form of our own, because `ast.dump` differs between versions of Python.
Annotations of arguments, results and local variables are left out: Python does not act on them. The tree is
believed only if it compiles to the very code that the function runs; where it does not (a file that was edited after it
was imported, code that an import hook rewrote) or where there is no source at all, the bytecode takes its place.
"""

import ast
import hashlib
import inspect
import linecache
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from art_training.setup.identity.calls import Calls, Chain, Function, calls_of

_IGNORED = frozenset({"type_comment", "kind", "ctx", "annotation", "returns", "type_params"})
_DOCSTRING = 0x4000000  # CO_HAS_DOCSTRING of Python 3.13 and later


@dataclass(frozen=True)
class Source:
    """What a code object was written as.

    Attributes:
        digest: SHA-256 of the syntax tree, or of the bytecode.
        decorators: names in the decorators' expressions, e.g. `("torch", "no_grad")`.
        literals: arguments whose default is a literal, and so is part of the digest.
        calls: what it calls; None where the syntax tree is not known.
    """

    digest: str
    decorators: tuple[Chain, ...] = ()
    literals: frozenset[str] = frozenset()
    calls: Calls | None = None


def source_of(code: CodeType, namespace: Mapping[str, Any]) -> Source:
    """The source of a code object; `namespace` holds the globals that it was defined in.

    What was said about a code object stays said for as long as the process lives: a file that is edited meanwhile does
    not change the code that was imported from it.
    """
    kept = _SEEN.get(id(code))
    if kept is None:
        kept = _SEEN[id(code)] = (code, _read(code, namespace))
    return kept[1]


def module_digest(text: str) -> str:
    """Digest of a whole module's source.

    Raises:
        SyntaxError: it is not Python.
    """
    return _sha(_canonical(_parse(text)))


# The code object is kept beside its digest so that its id stays its own.
_SEEN: dict[int, tuple[CodeType, Source]] = {}
_FILES: dict[str, "tuple[list[str], _File | None]"] = {}


@dataclass
class _File:
    """One source file: its functions by name and line, its lambdas by line, and the bytecode that it compiles to."""

    functions: dict[tuple[str, int], Function] = field(default_factory=dict[tuple[str, int], Function])
    lambdas: list[ast.Lambda] = field(default_factory=list[ast.Lambda])
    compiled: dict[tuple[str, int], set[str]] = field(default_factory=dict[tuple[str, int], set[str]])


def _read(code: CodeType, namespace: Mapping[str, Any]) -> Source:
    file = _file(code.co_filename, namespace)
    node = None if file is None else _find(file, code)
    if file is None or node is None or bytecode_digest(code) not in file.compiled.get(_place(code), ()):
        return Source(bytecode_digest(code))
    decorators = tuple(_chains(getattr(node, "decorator_list", ())))
    return Source(_sha(_canonical(node)), decorators, _literal_defaults(node), calls_of(node))


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _file(filename: str, namespace: Mapping[str, Any]) -> _File | None:
    linecache.lazycache(filename, dict(namespace))
    lines = linecache.getlines(filename)
    known = _FILES.get(filename)
    if known is None or (known[0] is not lines and known[0] != lines):
        known = _FILES[filename] = (lines, _indexed("".join(lines), filename) if lines else None)
    return known[1]


def _indexed(text: str, filename: str) -> _File | None:
    try:
        tree = _parse(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = compile(text, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # IPython's own syntax, or a file that was broken after it was imported
        return None
    file = _File()
    for code in _codes(whole):
        file.compiled.setdefault(_place(code), set()).add(bytecode_digest(code))
    _collect(tree, "", file)
    return file


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _collect(node: ast.AST, scope: str, file: _File) -> None:
    inner = scope
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        file.functions[scope + node.name, line] = node
        inner = f"{scope}{node.name}.<locals>."
    elif isinstance(node, ast.Lambda):
        file.lambdas.append(node)
        inner = f"{scope}<lambda>.<locals>."
    elif isinstance(node, ast.ClassDef):
        inner = f"{scope}{node.name}."
    for child in ast.iter_child_nodes(node):
        _collect(child, inner, file)


def _find(file: _File, code: CodeType) -> Function | None:
    if code.co_name != "<lambda>":
        return file.functions.get(_place(code))
    lines = list(code.co_positions())
    spans = [(*start, *end) for start, end in map(_span, lines[1:]) if start is not None and end is not None]
    spans = [span for span in spans if span[1] != span[3] or span[0] != span[2]]  # RESUME and the like have no width
    if not spans:
        return None
    first, last = min(span[:2] for span in spans), max(span[2:] for span in spans)
    around = [node for node in file.lambdas if _begin(node.body) <= first and last <= _end(node.body)]
    return max(around, key=_begin, default=None)  # the innermost


def _span(position: tuple[int | None, int | None, int | None, int | None]) -> tuple[Any, Any]:
    line, end_line, column, end_column = position
    return (None, None) if None in position else ((line, column), (end_line, end_column))


def _begin(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _canonical(node: Any) -> str:
    """A syntax tree as text: what is empty is left out, so that fields which a later Python adds change nothing."""
    if isinstance(node, ast.AST):
        shown = [
            f"{name}={_canonical(_without_docstring(node, name, value))}"
            for name, value in ast.iter_fields(node)
            if name not in _IGNORED and (isinstance(node, ast.Constant) or value not in (None, []))
        ]
        return f"{type(node).__name__}({','.join(shown)})"
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    return f"{type(node).__name__}:{node!r}"


def _without_docstring(node: ast.AST, name: str, value: Any) -> Any:
    documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
    if name != "body" or not documented or not value or not isinstance(value[0], ast.Expr):
        return value
    first = value[0].value
    return value[1:] if isinstance(first, ast.Constant) and isinstance(first.value, str) else value


def _chains(expressions: Iterable[ast.expr]) -> Iterator[Chain]:
    """The names that expressions use, with their attributes: `a.b(c)` uses `a.b` and `c`."""
    waiting = list(expressions)
    while waiting:
        node: ast.AST = waiting.pop(0)
        names: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield (inner.id, *names)
        else:
            waiting.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword))  # type: ignore[misc]


def _literal_defaults(node: Function) -> frozenset[str]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)]
    named = [*defaults, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return frozenset(argument.arg for argument, default in named if isinstance(default, ast.Constant))


def bytecode_digest(code: CodeType) -> str:
    """Digest of what a code object does: instructions, constants and names, without lines and file names."""
    return _sha(_bytecode(code))


def _bytecode(code: CodeType) -> str:
    constants = [_constant(value) for value in code.co_consts]
    if _has_docstring(code):
        constants[0] = _constant(None)  # what stands there in a function without one
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~_DOCSTRING)
    return f"{code.co_code.hex()}|{constants}|{names}|{counts}"


def _has_docstring(code: CodeType) -> bool:
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & _DOCSTRING)
    # Until then the first constant of a function is its docstring or None; that of a comprehension is anything.
    optimized = code.co_flags & inspect.CO_OPTIMIZED and code.co_flags & inspect.CO_NEWLOCALS
    return bool(optimized) and not code.co_name.startswith("<") and isinstance(code.co_consts[0], str)


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return f"code({_bytecode(value)})"
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_constant, value))})"
    if isinstance(value, tuple):
        return f"({','.join(map(_constant, value))})"
    return f"{type(value).__name__}:{value!r}"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
