import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from art_training.records import Fingerprint
from art_training.setup.identity.fingerprint import setup_components
from art_training.setup.setup import Setup


class Data:
    pass


def read(model: Any, **hparams: Any) -> Fingerprint:
    return Fingerprint(*setup_components(Setup(model, Data, hparams=hparams)))


def told(before: Fingerprint, after: Fingerprint) -> list[str]:
    return [str(change) for change in after.changes(before)]


LOADED = """
    import torch

    def loaded(path):
        return torch.load(path)

    class Net:
        def __init__(self, weights=None, lr=0.1):
            if weights:
                self.state = loaded(weights)
"""


@pytest.mark.parametrize("as_given", [str, Path])
def test_a_file_that_a_hyper_parameter_names_counts_by_its_content(
    load: Callable[..., Any], tmp_path: Path, as_given: Any
) -> None:
    net, weights = load(LOADED).Net, tmp_path / "w.pt"
    weights.write_text("1")
    before = read(net, weights=as_given(weights))
    assert before == read(net, weights=as_given(weights))
    assert before.unknown == ()
    weights.write_text("2")
    (change,) = told(before, read(net, weights=as_given(weights)))
    assert change.startswith("hparams.weights: ")
    assert "w.pt' with content" in change


def test_a_model_that_is_given_no_file_opens_none(load: Callable[..., Any]) -> None:
    net = load(LOADED).Net
    assert read(net).unknown == read(net, weights=None).unknown == ()


def test_digests_of_files_are_remembered_by_their_states(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_text("1")
    setup, kept = Setup(load(LOADED).Net, Data, hparams={"weights": tmp_path / "w.pt"}), dict[str, Any]()
    first = setup_components(setup, memo=kept.get, remember=kept.__setitem__)
    assert len(kept) == 1
    assert setup_components(setup, memo=kept.get, remember=lambda *_: pytest.fail("read again")) == first


def test_a_file_of_the_log_is_written_and_not_read(load: Callable[..., Any], tmp_path: Path) -> None:
    net, log = load(LOADED).Net, tmp_path / "train.log"
    log.write_text("1")
    before = read(net, log_file=str(log))
    log.write_text("2")
    assert read(net, log_file=str(log)) == before


@pytest.mark.parametrize(
    "opens",
    [
        "json.load(open('c.json'))",
        "Path('c.json').read_text()",
        "PLACE.read_text()",
        "(FOLDER / 'c.json').open().read()",
        "open(os.path.join(FOLDER, 'c.json')).read()",
        "read(PLACE)",
        "[open(path).read() for path in PLACES]",
    ],
)
def test_a_file_that_a_model_opens_by_itself_counts_by_its_content(
    load: Callable[..., Any], tmp_path: Path, opens: str
) -> None:
    (tmp_path / "settings").mkdir()
    files = [tmp_path / "c.json", tmp_path / "settings" / "c.json"]
    for file in files:
        file.write_text("1")
    net = load(f"""
        import json, os
        from pathlib import Path
        PLACE, FOLDER = Path({str(files[0])!r}), Path({str(tmp_path / "settings")!r})
        PLACES = [PLACE]

        def read(path):
            with path.open() as file:
                return json.load(file)

        class Net:
            def __init__(self):
                self.k = {opens}
    """).Net
    before = read(net)
    assert before == read(net)
    assert before.unknown == ()
    for file in files:
        file.write_text("22")
    (change,) = told(before, read(net))
    assert change.startswith("model: content of ")
    assert change.endswith("c.json changed")


@pytest.mark.parametrize(
    ("opens", "call"),
    [
        ("open(made())", "open"),
        ("torch.load(made() / 'w.pt')", "torch.load"),
        ("open(PLACE.parent / made())", "open"),
        ("read(made())", "read"),
        ("open('is_not_there.json')", "open"),
    ],
)
def test_a_file_whose_name_is_made_when_the_model_is_is_unknown(
    load: Callable[..., Any], tmp_path: Path, opens: str, call: str
) -> None:
    (tmp_path / "c.json").write_text("1")
    found = read(
        load(f"""
        import torch
        from pathlib import Path
        PLACE = Path({str(tmp_path / "c.json")!r})

        def made():
            return Path.home()

        def read(path):
            return path.read_text()

        class Net:
            def __init__(self):
                self.k = {opens}
    """).Net
    )
    assert found.unknown == (
        f"model: Net.__init__ calls {call}, and what it reads cannot be told; name the file in hparams",
    )


@pytest.mark.parametrize(
    "does", ["open(made(), 'w').write('1')", "made().open('wb')", "json.loads('1')", "self.eval()"]
)
def test_what_is_only_written_or_opens_nothing_is_no_concern(load: Callable[..., Any], does: str) -> None:
    source = f"""
        import json
        from pathlib import Path

        def made():
            return Path.home()

        class Net:
            def training_step(self):
                return {does}
    """
    assert read(load(source).Net).unknown == ()


def test_a_class_that_hands_its_argument_to_its_base_is_followed(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_text("1")
    source = """
        import torch

        class Base:
            def __init__(self, weights=None):
                self.state = torch.load(weights) if weights else None

        class Net(Base):
            def __init__(self, {argument}):
                super().__init__({passes})
    """
    named = load(source.format(argument="start=None", passes="weights=start")).Net
    assert read(named, start=tmp_path / "w.pt").unknown == read(named).unknown == ()
    plain = load(source.format(argument="lr=1", passes="")).Net
    assert read(plain).unknown == ()
    made = load(source.format(argument="lr=1", passes="weights=input()")).Net
    assert len(read(made).unknown) == 1


def test_an_environment_variable_that_a_model_asks_for_counts(
    load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = load("""
        import os
        from os import environ, getenv

        class Net:
            def __init__(self):
                self.k = float(os.environ.get("K", "1"))
                self.key = getenv("API_KEY")
                self.rank = int(environ["LOCAL_RANK"]) if "LOCAL_RANK" in environ else 0
                os.environ["OMP"] = "1"
    """).Net
    monkeypatch.setenv("K", "1")
    monkeypatch.setenv("API_KEY", "hunter2")
    before = read(net)
    assert before.unknown == ()
    assert "hunter2" not in json.dumps(before.components)
    monkeypatch.setenv("K", "50")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert told(before, read(net)) == ["model: environment K: '1' -> '50'"]
    monkeypatch.setenv("API_KEY", "hunter3")
    assert "model: environment API_KEY changed" in told(before, read(net))


@pytest.mark.parametrize("asks", ["os.environ[name]", "dict(os.environ)", "os.getenv(name)", "environ.copy()"])
def test_an_environment_that_is_asked_for_what_is_made_is_unknown(load: Callable[..., Any], asks: str) -> None:
    source = f"""
        import os
        from os import environ

        class Net:
            def __init__(self, name):
                self.k = {asks}
    """
    (unknown,) = read(load(source).Net).unknown
    assert unknown.startswith("model: Net.__init__ asks for the environment")


@pytest.mark.parametrize(
    "imports",
    [
        "importlib.import_module('plug').build(x)",
        "__import__('plug').build(x)",
        "importlib.import_module(PLUG).build(x)",
        "importlib.import_module(self.plug).build(x)",
    ],
)
def test_a_module_that_is_imported_by_a_name_that_is_known_counts(
    load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str
) -> None:
    (tmp_path / "plug.py").write_text("def build(x):\n    return x\n")
    net = load(f"""
        import importlib
        PLUG = "plug"

        class Net:
            def forward(self, x):
                return {imports}
    """).Net
    monkeypatch.syspath_prepend(tmp_path)
    before = read(net, plug="plug")
    assert before.unknown == ()
    (tmp_path / "plug.py").write_text("def build(x):\n    return -2 * x\n")
    assert told(before, read(net, plug="plug")) == ["model: module plug changed"]


@pytest.mark.parametrize(
    ("does", "what"),
    [
        ("importlib.import_module(f'plug.{x}')", "imports a module by a name that is made when it runs"),
        ("__import__(x)", "imports a module by a name that is made when it runs"),
        ("runpy.run_module(x)", "imports a module by a name that is made when it runs"),
        ("exec(x)", "runs code that is made when it runs"),
        ("eval('x +' + x)", "runs code that is made when it runs"),
    ],
)
def test_code_that_is_only_found_when_the_model_runs_is_unknown(load: Callable[..., Any], does: str, what: str) -> None:
    source = f"""
        import importlib, runpy

        class Net:
            def forward(self, x):
                return {does}
    """
    assert read(load(source).Net).unknown == (f"model: Net.forward {what}",)


def test_without_a_source_the_names_alone_tell_what_is_done() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "import importlib, os\n"
        "class Net:\n"
        "    def __init__(self):\n"
        "        self.k = open(os.environ['K']), importlib.import_module('plug'), eval('1')\n",
        namespace,
    )
    found = " ".join(read(namespace["Net"]).unknown)
    assert all(part in found for part in ("calls open", "asks for the environment", "imports a module", "runs code"))
