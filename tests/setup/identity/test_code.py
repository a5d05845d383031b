import json
import linecache
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from art_training.records import Fingerprint
from art_training.setup.identity.code import code_components

NET = """
    from helpers import scale
    LEARN = 3

    class Net:
        depth = 2

        def __init__(self, width=4):
            self.width = width

        def forward(self, x):
            return scale(x) * LEARN
"""
HELPERS = """
    def scale(x):
        return shift(x) * 2

    def shift(x):
        return x + 1
"""


def components(root: Any) -> dict[str, Any]:
    return code_components(root, label="model")[0]


def changed(before: Any, after: Any) -> list[str]:
    return [str(change) for change in Fingerprint(components(after)).changes(Fingerprint(components(before)))]


def test_components_are_named_by_what_a_person_wrote(load: Callable[..., Any]) -> None:
    assert list(components(load(NET, helpers=HELPERS).Net)) == [
        "model: Net.depth",
        "model: Net.__init__",
        "model: project.LEARN",
        "model: Net.forward",
        "model: scale",
        "model: shift",
    ]


def test_the_same_project_in_another_folder_is_the_same(load: Callable[..., Any]) -> None:
    assert changed(load(NET, helpers=HELPERS).Net, load(NET, helpers=HELPERS).Net) == []


def test_comments_docstrings_annotations_and_formatting_do_not_matter(load: Callable[..., Any]) -> None:
    before = load("def f(x, y=1):\n    z = x + y\n    return {'a': z}\n").f
    after = load(
        '''
        # A comment.
        def f(
            x: int,
            y: int = 1,
        ) -> dict[str, int]:
            """What it does."""
            z = (x +
                 y)  # another
            return {"a": z}
        '''
    ).f
    assert changed(before, after) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("LEARN = 3", "LEARN = 4", "model: project.LEARN: 3 -> 4"),
        ("depth = 2", "depth = 3", "model: Net.depth: 2 -> 3"),
        ("* LEARN", "/ LEARN", "model: Net.forward changed"),
        ("width=4", "width=5", "model: Net.__init__ changed"),
        ("class Net:", "class Net(dict):", "model: bases of Net is new: ['dict']"),
    ],
)
def test_an_edit_is_told_in_a_sentence(load: Callable[..., Any], old: str, new: str, sentence: str) -> None:
    before = load(NET, helpers=HELPERS).Net
    assert changed(before, load(NET.replace(old, new), helpers=HELPERS).Net) == [sentence]


def test_an_edit_of_a_helper_two_calls_away_is_seen(load: Callable[..., Any]) -> None:
    before = load(NET, helpers=HELPERS).Net
    after = load(NET, helpers=HELPERS.replace("x + 1", "x + 2")).Net
    assert changed(before, after) == ["model: shift changed"]


def test_an_edit_of_code_that_is_not_reached_is_not_seen(load: Callable[..., Any]) -> None:
    before = load(NET, helpers=HELPERS).Net
    assert changed(before, load(NET + "\n    OTHER = 1\n", helpers=HELPERS + "\n    def g(): pass\n").Net) == []


MEMBERS = """
    import functools

    class Part:
        size = 1

    class Base:
        def inherited(self):
            return 1

    def double(function):
        @functools.wraps(function)
        def wrapper(*args):
            return 2 * function(*args)
        return wrapper

    class Net(Base):
        class Inner:
            def deep(self):
                return 10

        @property
        def size(self):
            return 20

        @staticmethod
        def fixed():
            return 30

        @classmethod
        def made(cls):
            return 40

        @functools.cached_property
        def once(self):
            return 50

        @functools.lru_cache(maxsize=2)
        def kept(self):
            return 60

        @double
        def decorated(self):
            return 70

        part = Part
        late = functools.partialmethod(made, 80)
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("return 10", "return 11", "model: Net.Inner.deep changed"),
        ("return 20", "return 21", "model: Net.size changed"),
        ("return 30", "return 31", "model: Net.fixed changed"),
        ("return 40", "return 41", "model: Net.made changed"),
        ("return 50", "return 51", "model: Net.once changed"),
        ("return 60", "return 61", "model: Net.kept changed"),
        ("return 70", "return 71", "model: Net.decorated changed"),
        ("maxsize=2", "maxsize=3", "model: Net.kept changed"),
        ("return 2 *", "return 3 *", "model: double changed, model: double.wrapper changed"),
        ("return 1\n", "return 0\n", "model: Base.inherited changed"),
        ("size = 1", "size = 2", "model: Part.size: 1 -> 2"),
    ],
)
def test_every_kind_of_member_is_walked(load: Callable[..., Any], old: str, new: str, sentence: str) -> None:
    assert ", ".join(changed(load(MEMBERS).Net, load(MEMBERS.replace(old, new)).Net)) == sentence


FUNCTIONS = """
    import functools

    K = 5

    def inner(x, *, scale=K):
        return x * scale

    def make(width):
        def build(lr=0.1):
            return width, lr, inner(lr)
        return build

    root = make(32)
    bound = functools.partial(inner, 1, scale=7)
    first, second = (lambda x: x + 1), (lambda x: x + 2)
    chosen = {"a": inner}

    def by_table(x):
        return chosen["a"](x)

    def looping(n):
        return other(n)

    def other(n):
        return looping(n - 1)
"""


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("root", "make(32)", "make(64)", "model: make.build.width: 32 -> 64"),
        ("root", "x * scale", "x / scale", "model: inner changed"),
        ("root", "lr=0.1", "lr=0.2", "model: make.build changed"),
        ("inner", "K = 5", "K = 6", "model: inner(scale=): 5 -> 6"),
        ("bound", "scale=7", "scale=8", "model: inner(scale=): 7 -> 8"),
        ("bound", "inner, 1", "inner, 2", "model: inner(0): 1 -> 2"),
        ("by_table", "x * scale", "x / scale", "model: inner changed"),
        ("looping", "n - 1", "n - 2", "model: other changed"),
    ],
)
def test_functions_reach_through_closures_defaults_partials_and_tables(
    load: Callable[..., Any], name: str, old: str, new: str, sentence: str
) -> None:
    before, after = getattr(load(FUNCTIONS), name), getattr(load(FUNCTIONS.replace(old, new)), name)
    assert sentence in changed(before, after)


def test_two_lambdas_on_one_line_are_told_apart(load: Callable[..., Any]) -> None:
    project = load(FUNCTIONS)
    assert components(project.first) != components(project.second)
    moved = load("x = 1\n" + dedent(FUNCTIONS).replace("(lambda x: x + 1)", "(lambda   x: (x) + 1)"))
    assert changed(project.first, moved.first) == []
    assert changed(project.second, load(FUNCTIONS.replace("x + 1)", "x + 9)")).second) == []
    assert changed(project.first, load(FUNCTIONS.replace("x + 1)", "x + 9)")).first) == ["model: lambda changed"]


def test_a_name_that_means_something_else_in_a_library_is_a_change(load: Callable[..., Any]) -> None:
    before = load("from math import sin as f\ndef g(x):\n    return f(x)\n").g
    after = load("from math import cos as f\ndef g(x):\n    return f(x)\n").g
    assert changed(before, after) == ["model: g changed"]


def test_modules_are_followed_to_the_attribute_that_is_named(load: Callable[..., Any]) -> None:
    source = "import helpers\ndef f(x):\n    return helpers.scale(x)\n"
    before = load(source, helpers=HELPERS).f
    assert changed(before, load(source, helpers=HELPERS.replace("x + 1", "x - 1")).f) == ["model: shift changed"]
    assert changed(before, load(source, helpers=HELPERS + "\n    def third(): pass\n").f) == []


def test_a_module_that_is_passed_on_counts_whole(load: Callable[..., Any]) -> None:
    source = "import helpers\ndef f(name):\n    return getattr(helpers, name)\n"
    before, after = HELPERS + "\n    RATE = 1\n", HELPERS.replace("x + 1", "x - 1") + "\n    RATE = 2\n"
    assert changed(load(source, helpers=before).f, load(source, helpers=after).f) == [
        "model: helpers.RATE: 1 -> 2",
        "model: shift changed",
    ]


def test_a_submodule_of_a_package_is_followed(load: Callable[..., Any]) -> None:
    source = "import pack.parts\ndef f(x):\n    return pack.parts.scale(x)\n"
    before = load(source, pack____init__="", pack__parts=HELPERS).f
    after = load(source, pack____init__="", pack__parts=HELPERS.replace("x + 1", "x - 1")).f
    assert changed(before, after) == ["model: shift changed"]


@pytest.mark.parametrize("statement", ["import helpers", "from helpers import scale", "import middle"])
def test_a_module_imported_inside_a_function_counts_whether_loaded_or_not(
    load: Callable[..., Any], statement: str
) -> None:
    source = f"def f(x):\n    {statement}\n    return x\n"
    middle = "import helpers\n"
    before = load(source, helpers=HELPERS, middle=middle).f
    unloaded = components(before)
    before(1)
    assert components(before) == unloaded
    after = load(source, helpers=HELPERS.replace("x + 1", "x - 1"), middle=middle).f
    told = Fingerprint(components(after)).changes(Fingerprint(unloaded))
    assert [str(change) for change in told] == ["model: module helpers changed"]


def test_settings_held_by_an_object_are_read_one_by_one(load: Callable[..., Any]) -> None:
    source = "import types\nCONFIG = types.SimpleNamespace(lr=1, noise=2)\ndef f():\n    return CONFIG.lr\n"
    assert components(load(source).f)["model: project.CONFIG.lr"] == 1
    assert changed(load(source).f, load(source.replace("noise=2", "noise=3")).f) == []


def test_an_object_of_the_projects_own_counts_with_its_class_and_its_state(load: Callable[..., Any]) -> None:
    source = """
        class Augment:
            def __init__(self, p):
                self.p = p
            def __call__(self, x):
                return x * self.p

        AUGMENT = Augment(0.5)

        def f(x):
            return AUGMENT(x)
    """
    before = load(source).f
    assert changed(before, load(source.replace("(0.5)", "(0.1)")).f) == [
        "model: project.AUGMENT: Augment(p=0.5) -> Augment(p=0.1)"
    ]
    assert changed(before, load(source.replace("x * self.p", "x / self.p")).f) == ["model: Augment.__call__ changed"]


def test_dataclasses_count_with_their_fields(load: Callable[..., Any]) -> None:
    source = """
        from dataclasses import dataclass, field

        @dataclass
        class Config:
            lr: float = 0.1
            widths: list = field(default_factory=lambda: [1, 2])
    """
    before = load(source).Config
    assert changed(before, load(source).Config) == []
    assert changed(before, load(source.replace("0.1", "0.2")).Config) == ["model: Config.lr: 0.1 -> 0.2"]
    assert changed(before, load(source.replace("[1, 2]", "[1, 3]")).Config) == ["model: Config.lambda changed"]
    assert changed(before, load(source.replace("lr: float", "lr: int")).Config) != []
    assert changed(before, load(source.replace("@dataclass\n", "@dataclass(frozen=True)\n")).Config) != []


def test_enumerations_count_with_their_values(load: Callable[..., Any]) -> None:
    source = """
        from enum import Enum

        class Colour(Enum):
            RED = 1

            def name_of(self):
                return "r"

        def f():
            return Colour.RED
    """
    before = load(source).f
    assert list(components(before)) == [
        "model: f",
        "model: bases of Colour",
        "model: Colour.RED",
        "model: Colour.name_of",
    ]
    assert changed(before, load(source.replace("RED = 1", "RED = 2")).f) == ["model: Colour.RED: 1 -> 2"]


def test_models_of_pydantic_count_with_their_fields(load: Callable[..., Any]) -> None:
    source = """
        from pydantic import BaseModel, Field

        class Config(BaseModel):
            lr: float = Field(0.1, gt=0)
    """
    before = load(source).Config
    assert changed(before, load(source).Config) == []
    assert len(components(before)) == 4
    assert changed(before, load(source.replace("0.1", "0.2")).Config) == ["model: Config.__pydantic_fields__ changed"]


def test_an_object_that_a_partial_calls_counts(load: Callable[..., Any]) -> None:
    source = """
        import functools

        class Make:
            def __init__(self, width):
                self.width = width
            def __call__(self, lr):
                return self.width * lr

        root = functools.partial(Make(3), lr=0.1)
    """
    before = load(source).root
    assert changed(before, load(source.replace("Make(3)", "Make(4)")).root) == [
        "model: Make: Make(width=3) -> Make(width=4)"
    ]
    assert changed(before, load(source.replace("width * lr", "width / lr")).root) == ["model: Make.__call__ changed"]


def test_classes_of_one_name_in_two_modules_are_both_seen(load: Callable[..., Any]) -> None:
    one, two = "class Net:\n    def go(self):\n        return 1\n", "class Net:\n    def go(self):\n        return 2\n"
    source = "import one, two\nclass Both(one.Net):\n    other = two.Net\n"
    before = load(source, one=one, two=two).Both
    assert {"model: one.Net.go", "model: two.Net.go"} <= set(components(before))
    after = load(source, one=one, two=two.replace("2", "3")).Both
    assert changed(before, after) == ["model: two.Net.go changed"]


def test_two_classes_of_one_name_in_one_module_are_both_seen(load: Callable[..., Any]) -> None:
    source = """
        def make(n):
            class Net:
                rate = n
            return Net

        class Both:
            first, second = make(1), make(2)
    """
    both = components(load(source).Both)
    assert both["model: make.Net.rate"] == 1
    assert both["model: make.Net.rate #2"] == 2


def test_a_name_that_is_not_defined_is_unknown(load: Callable[..., Any]) -> None:
    _, unknown = code_components(load("def f():\n    return later.attribute\n").f, label="model")
    assert unknown == ("model: later.attribute, which f names, is not defined",)


def test_builtins_and_libraries_are_not_walked(load: Callable[..., Any]) -> None:
    source = "import json\nfrom collections import OrderedDict\ndef f(x):\n    return len(json.dumps(OrderedDict(x)))\n"
    found, unknown = code_components(load(source).f, label="model")
    assert list(found) == ["model: f"]
    assert unknown == ()


def test_a_big_constant_is_a_digest(load: Callable[..., Any]) -> None:
    found = components(load("TABLE = list(range(1000))\ndef f():\n    return TABLE\n").f)
    assert set(found["model: project.TABLE"]) == {"digest"}


def test_a_file_that_was_edited_after_its_import_does_not_speak_for_the_code_in_memory(
    load: Callable[..., Any], tmp_path: Path
) -> None:
    project = load("def f():\n    return 1\n")
    Path(project.__file__).write_text("def f():\n    return 2\n")
    linecache.clearcache()
    edited = load("def f():\n    return 2\n")
    assert components(project.f) != components(edited.f)


def test_a_path_below_the_project_moves_with_it(load: Callable[..., Any]) -> None:
    source = """
        import os
        from pathlib import Path
        ROOT = Path(__file__).parent / "data"
        NAME = os.path.join(os.path.dirname(__file__), "data")
        def f():
            return ROOT, NAME
    """
    before, after = load(source).f, load(source).f
    assert components(before)["model: project.ROOT"] == "<project>/data"
    assert changed(before, after) == []


def test_nothing_that_is_found_holds_an_address(load: Callable[..., Any]) -> None:
    source = """
        import functools, threading, logging
        class Odd:
            def __init__(self):
                self.lock, self.me, self.log = threading.Lock(), self, logging.getLogger("x")
        ODD = [Odd(), object(), lambda: 1, functools.partial(print, Odd()), {Odd: Odd()}, iter([]), Odd().__init__]
        def f():
            return ODD
    """
    found, unknown = code_components(load(source).f, label="model")
    assert not re.search(r"0x[0-9a-f]{4}", json.dumps(found) + str(unknown))


# Classes of a notebook: `__main__` has no file, and only linecache knows the source of a cell.

CELL = """
RATE = 3

class Net:
    width = 8

    def forward(self, x):
        return helper(x) * RATE

def helper(x):
    return x + 1
"""


def cell(source: str, number: int) -> dict[str, Any]:
    """Execute source as IPython executes a cell."""
    filename = f"/tmp/ipykernel_1234/{number}.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, filename, "exec"), namespace)
    return namespace


def test_a_class_defined_in_a_cell_is_read_from_the_cell() -> None:
    before, after = cell(CELL, 1)["Net"], cell("# A comment.\n" + CELL, 2)["Net"]
    assert changed(before, after) == []
    edited = cell(CELL.replace("x + 1", "x + 2").replace("width = 8", "width = 9"), 3)["Net"]
    assert changed(before, edited) == ["model: Net.width: 8 -> 9", "model: helper changed"]


SHELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.history_manager.enabled = False
shell.run_cell({first!r})
shell.run_cell({second!r})
shell.run_cell("import json; from art_training.setup.identity.code import code_components")
shell.run_cell("print(json.dumps(code_components(Net, label='model')))")
"""


@pytest.mark.slow
def test_a_class_of_a_real_notebook_shell_is_read(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    said = []
    for helper in ("x + 1", "x +  1  # one", "x + 2"):
        code = SHELL.format(first=CELL, second=f"def helper(x):\n    return {helper}\n")
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        said.append(json.loads(answer.stdout.splitlines()[-1])[0])
    assert said[0] == said[1]
    assert [str(change) for change in Fingerprint(said[2]).changes(Fingerprint(said[0]))] == ["model: helper changed"]


def test_code_without_any_source_is_compared_by_what_it_does() -> None:
    def executed(source: str) -> Any:
        namespace: dict[str, Any] = {"__name__": "nowhere"}
        exec(compile(source, "<string>", "exec"), namespace)
        return namespace["Net"]

    assert changed(executed(CELL), executed("# A comment.\n\n" + CELL)) == []
    assert changed(executed(CELL), executed(CELL.replace("x + 1", "x + 2"))) == ["model: helper changed"]


SCRIPT = """
import json
{setup}
class Net:
    names = {{"b", "a", "c", "d"}}
    def forward(self, x):
        return x in {{"u", "v", "w"}} and helper(x)

def helper(x):
    return {{"p": x, "q": frozenset("xyz")}}

from art_training.setup.identity.code import code_components
print(json.dumps(code_components(Net, label="model"), sort_keys=True))
"""


def from_stdin(source: str, **environment: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-"],
        input=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def test_hash_seeds_import_order_and_processes_do_not_matter() -> None:
    said = {
        from_stdin(SCRIPT.format(setup=setup), PYTHONHASHSEED=seed)
        for seed, setup in (("0", ""), ("1", "import logging, decimal"), ("2", "import decimal\nimport logging"))
    }
    assert len(said) == 1
    components, unknown = json.loads(said.pop())
    assert unknown == []
    assert {"model: Net.names", "model: Net.forward", "model: helper"} == set(components)


def test_a_class_from_standard_input_is_seen_to_change() -> None:
    one = json.loads(from_stdin(SCRIPT.format(setup="")))[0]
    other = json.loads(from_stdin(SCRIPT.format(setup="").replace('"u"', '"t"')))[0]
    assert [str(change) for change in Fingerprint(other).changes(Fingerprint(one))] == ["model: Net.forward changed"]


def test_a_script_that_is_run_and_one_that_is_imported_are_the_same(tmp_path: Path) -> None:
    script = tmp_path / "art_project.py"
    script.write_text("RATE = 3\n" + SCRIPT.format(setup="").replace("helper(x)", "helper(x) * RATE", 1))
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    imported = subprocess.run(
        [sys.executable, "-c", "import art_project"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert run == imported
    assert "art_project.RATE" in run


def test_a_module_that_was_made_by_hand_is_the_projects_own() -> None:
    module = types.ModuleType("handmade")
    exec("def f():\n    return 1\n", module.__dict__)
    assert list(components(module)) == ["model: f"]
