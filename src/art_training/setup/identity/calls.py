"""What a function reads that neither its arguments nor its globals say: the files, variables and modules that it names.

Calls are read from the syntax tree. What stands for a path is followed back through local variables to the names that it
is made of: `path = ROOT / name; open(path)` is made of `ROOT` and `name`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Chain: TypeAlias = tuple[str, ...]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

ENVIRONMENT = frozenset({"environ", "environb", "getenv", "gethostname"})

# Names by which files are opened, whatever they are called on, and names that do so in these modules only.
OPENS = frozenset({
    "open", "imread", "read_csv", "read_parquet", "read_json", "read_pickle", "read_table", "read_feather", "read_excel",
    "read_image", "decode_image", "loadtxt", "genfromtxt", "fromfile", "from_file", "memmap", "read_bytes", "read_text",
    "open_memmap", "get_object", "urlopen", "safe_open", "load_file", "loadmat", "load_from_checkpoint",
    "spec_from_file_location", "SourceFileLoader", "run_path",
})  # fmt: skip
_LOADS = frozenset({"torch", "jit", "np", "numpy", "joblib", "torchaudio", "librosa", "jnp", "nib", "onnx"})
_MODES_OF_WRITING = frozenset({"w", "wb", "wt", "a", "ab", "at", "x", "xb", "xt"})
_MODES_OF_READING = frozenset({"r", "rb", "rt"})


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        name: what is called, e.g. `("torch", "load")`; a method of something computed begins with an empty name.
        roots: names that its receiver and its arguments are made of.
        texts: the texts among them.
        passes: whether it passes any argument.
        writes: whether it opens a file only to write it.
    """

    name: Chain
    roots: tuple[Chain, ...]
    texts: tuple[str, ...]
    passes: bool = False
    writes: bool = False

    @property
    def opens(self) -> bool:
        """Whether it may read a file."""
        if self.name[-1] == "load":
            return not self.writes and len(self.name) > 1 and self.name[-2] in _LOADS
        return not self.writes and self.name[-1] in OPENS

    def __str__(self) -> str:
        return ".".join(filter(None, self.name))


@dataclass(frozen=True)
class Calls:
    """What a function calls, and what it asks of the environment.

    Attributes:
        calls: in the order of the source.
        variables: environment variables that it reads by a literal name.
        asks: whether it looks at the environment in any other way.
    """

    calls: tuple[Call, ...] = ()
    variables: tuple[str, ...] = ()
    asks: bool = False


def calls_of(function: Function) -> Calls:
    """Read a function's syntax tree; functions inside it are part of it."""
    assigned = _assigned(function)
    calls = tuple(_call(node, assigned) for node in ast.walk(function) if isinstance(node, ast.Call))
    seen = sum(_chain(node)[-1:] in {(name,) for name in ENVIRONMENT} for node in ast.walk(function))
    found = [name for node in ast.walk(function) if (name := _variable(node)) is not None]
    return Calls(calls, tuple(dict.fromkeys(filter(None, found))), seen > len(found))


def _call(node: ast.Call, assigned: dict[str, list[ast.expr]]) -> Call:
    called, arguments = node.func, [*node.args, *(keyword.value for keyword in node.keywords)]
    name = _chain(called)
    if not name:  # a method of something that is computed
        name = ("", called.attr) if isinstance(called, ast.Attribute) else ("",)
    receiver = [called.value] if isinstance(called, ast.Attribute) else []
    modes = {argument.value for argument in arguments if isinstance(argument, ast.Constant)} & _MODES_OF_WRITING
    roots: dict[Chain, None] = {}
    texts: dict[str, None] = {}
    _made_of([*receiver, *arguments], assigned, roots, texts, set())
    kept = tuple(text for text in texts if text not in _MODES_OF_READING)
    return Call(name, tuple(roots), kept, bool(arguments), bool(modes))


def _made_of(
    expressions: list[ast.expr],
    assigned: dict[str, list[ast.expr]],
    roots: dict[Chain, None],
    texts: dict[str, None],
    followed: set[str],
) -> None:
    waiting: list[ast.AST] = [*expressions]
    while waiting:
        node = waiting.pop(0)
        chain = _chain(node)
        if chain and chain[0] in assigned:
            if chain[0] not in followed:
                followed.add(chain[0])
                waiting.extend(assigned[chain[0]])
            if len(chain) > 1:  # what is taken of a local variable still says something: `path.parent`
                roots[("", *chain[1:])] = None
        elif chain:
            roots[chain] = None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts[node.value] = None
        else:
            waiting.extend(ast.iter_child_nodes(node))
            if isinstance(node, ast.Attribute):
                roots["", node.attr] = None


def _assigned(function: Function) -> dict[str, list[ast.expr]]:
    """What each local variable is assigned, whatever the order."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        for target, value in _bindings(node):
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    found.setdefault(name.id, []).append(value)
    return found


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield node.target, node.iter
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr


def _variable(node: ast.AST) -> str | None:
    """The environment variable that an expression reads; empty where it only sets one, None where it does neither."""
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and _chain(node.value)[-1:] == ("environ",):
        if not isinstance(node.ctx, ast.Load):
            return ""
        key = node.slice
    elif isinstance(node, ast.Call) and node.args:
        name = _chain(node.func)
        if name[-1:] == ("getenv",) or name[-2:] in {("environ", "get"), ("environ", "pop"), ("environ", "setdefault")}:
            key = node.args[0]
    elif isinstance(node, ast.Compare) and any(_chain(one)[-1:] == ("environ",) for one in node.comparators):
        key = node.left
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _chain(node: ast.AST) -> Chain:
    """A name with the attributes taken of it; empty for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return (node.id, *names) if isinstance(node, ast.Name) else ()
