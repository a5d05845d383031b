"""Whether code that makes the data fits something to all rows and divides them afterwards; read, never run."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from art_training.probes.sharing_dataset import written
from art_training.probes.specimen import Specimen

_WITH_TARGETS = re.compile(r"Select|RFE|TargetEncoder|PLS|Discriminant|Boruta")
_OTHERS = re.compile(r"(Scaler|Imputer|PCA|Transformer|Normalizer|Vectorizer)$")
_DIVIDES = {"train_test_split", "random_split", "Subset"}


@dataclass(frozen=True)
class Fitted:
    """Something that was fitted to rows which are divided further on.

    Attributes:
        text: of the call, as it is written.
        where: file and line.
        kind: the class that was fitted.
        targets: whether it was given the targets too, and chooses by them.
        divided: the code that divides the rows.
        divided_where: file and line of it.
    """

    text: str
    where: str
    kind: str
    targets: bool
    divided: str
    divided_where: str


def fitted_before(specimen: Specimen) -> tuple[Fitted, ...]:
    """What is fitted before rows are divided, in the functions that made the data."""
    found: list[Fitted] = []
    for function in written(specimen):
        try:
            lines, first = inspect.getsourcelines(function)
            file = inspect.getsourcefile(function) or ""
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.FunctionDef) else []
        found += _Reading(body, file, first).found()
    return tuple(dict.fromkeys(found))


class _Reading:
    """One function, read from its first line to its last."""

    def __init__(self, body: Sequence[ast.stmt], file: str, first: int) -> None:
        self._body = body
        self._file = file
        self._first = first
        self._made: dict[str, str] = {}  # the class of what a name holds
        self._parts: set[str] = set()  # names of rows that were divided already
        self._fits: list[tuple[Fitted, set[str]]] = []  # with the names of what was made of it

    def found(self) -> list[Fitted]:
        answers: list[Fitted] = []
        for statement in _in_order(self._body):
            answers += self._divided(statement)
            targets, value = _assigned(statement)
            calls = [one for one in _shallow(statement) if isinstance(one, ast.Call)]
            self._follow(targets, value)
            for call in calls:
                self._fit(call, targets)
            if isinstance(value, ast.Call) and targets:
                self._made[targets[0]] = _called(value)
        return answers

    def _follow(self, targets: list[str], value: ast.expr | None) -> None:
        """Names that are made of fitted rows, or of a part of rows, are such."""
        if value is None:
            return
        mentioned = _mentioned(value)
        divides = any(isinstance(one, ast.Call) and _called(one) in _DIVIDES for one in ast.walk(value))
        if divides or _takes_rows(value) or mentioned & self._parts:
            self._parts |= set(targets)
            return
        for _, names in self._fits:
            if mentioned & names:
                names |= set(targets)

    def _fit(self, call: ast.Call, targets: list[str]) -> None:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"fit", "fit_transform"} or not call.args:
            return
        owner = call.func.value
        kind = _called(owner) if isinstance(owner, ast.Call) else self._made.get(ast.unparse(owner), "")
        given = [ast.unparse(one) for one in call.args]
        given += [ast.unparse(one.value) for one in call.keywords if one.arg == "y"]
        chooses = bool(_WITH_TARGETS.search(kind)) and len(given) > 1
        if not (chooses or _OTHERS.search(kind)) or _takes_rows(call.args[0]):
            return
        if _mentioned(call.args[0]) & self._parts or "train" in given[0].lower():
            return
        fitted = Fitted(ast.unparse(call), self._place(call), kind, chooses, "", "")
        made = set(targets) if call.func.attr == "fit_transform" else {f"{ast.unparse(owner)}.transform"}
        self._fits.append((fitted, made))

    def _divided(self, statement: ast.stmt) -> Iterator[Fitted]:
        """Fitted rows that this statement divides."""
        nodes = list(_shallow(statement))
        for fitted, names in list(self._fits):
            for node in nodes:
                divides = isinstance(node, ast.Call) and _called(node) in _DIVIDES
                cuts = isinstance(node, ast.Subscript) and _is_cut(node.slice)
                inside = (
                    node.args if isinstance(node, ast.Call) else [node.value] if isinstance(node, ast.Subscript) else []
                )
                if (divides or cuts) and any(_mentioned(one) & names for one in inside):
                    self._fits.remove((fitted, names))
                    yield Fitted(
                        fitted.text, fitted.where, fitted.kind, fitted.targets, ast.unparse(node), self._place(node)
                    )
                    break

    def _place(self, node: Any) -> str:
        return f"{self._file}:{self._first + node.lineno - 1}"


def _in_order(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements as they are written, those of loops and conditions among them; functions within are left out."""
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield one
        for name in ("body", "orelse", "finalbody"):
            yield from _in_order(getattr(one, name, []))


def _shallow(statement: ast.stmt) -> Iterator[ast.AST]:
    """What a statement holds, without the statements within it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield from ast.walk(child)


def _assigned(statement: ast.stmt) -> tuple[list[str], ast.expr | None]:
    if not isinstance(statement, ast.Assign):
        return [], None
    names: list[str] = []
    for target in statement.targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        names += [ast.unparse(one) for one in parts]
    return names, statement.value


def _mentioned(value: ast.expr) -> set[str]:
    return {ast.unparse(one) for one in ast.walk(value) if isinstance(one, ast.Name | ast.Attribute)}


def _called(call: ast.Call) -> str:
    return (
        call.func.attr
        if isinstance(call.func, ast.Attribute)
        else call.func.id
        if isinstance(call.func, ast.Name)
        else ""
    )


def _takes_rows(value: ast.expr) -> bool:
    """Whether some rows are taken of a table; `x[:, columns]` takes all."""
    if not isinstance(value, ast.Subscript):
        return False
    first = value.slice.elts[0] if isinstance(value.slice, ast.Tuple) and value.slice.elts else value.slice
    return not (isinstance(first, ast.Slice) and first.lower is None and first.upper is None)


def _is_cut(index: ast.expr) -> bool:
    """Whether rows up to one, or from one on, are taken: `[:800]`, `[cut:]`, of the first axis."""
    first = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
    return isinstance(first, ast.Slice) and (first.lower is None) != (first.upper is None)
