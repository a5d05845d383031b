from collections.abc import Iterator
from pathlib import Path

import pytest

from art_training import plugins
from art_training.errors import UsageError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    plugins.offered.cache_clear()
    plugins._TOLD.clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of someone else that offers a store, and one that is broken."""
    record = tmp_path / "site" / "theirs-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(
        "[art_training.stores]\nmine = json:JSONDecoder\nbroken = no_such_module:Store\nhalf = json:no_such_name\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_what_art_ships_is_found_through_the_same_entry_points(group: str) -> None:
    assert plugins.offered(group)
    for name, point in plugins.offered(group).items():
        assert point.group == f"art_training.{group}"  # of the standard library, or of what MLflow puts in its place
        found = plugins.load(group, name)
        assert getattr(found, "__module__", None) or found.__name__.startswith("art_training.")
        assert point.value.startswith("art_training.")


@pytest.mark.usefixtures("installed")
def test_what_others_ship_is_found_beside_it() -> None:
    import json

    assert plugins.load("stores", "mine") is json.JSONDecoder
    assert {"memory", "sqlite", "mine"} <= set(plugins.offered("stores"))


def test_an_unknown_name_tells_those_that_are_installed() -> None:
    with pytest.raises(UsageError, match=r"^no store is called 'sqlit'; installed are: .*memory.*sqlite"):
        plugins.load("stores", "sqlit")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["broken", "half"])
def test_one_that_cannot_be_imported_says_who_offers_it(name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be imported: .*; reinstall the distribution"):
        plugins.load("stores", name)


def test_every_step_and_check_of_art_is_offered_by_name() -> None:
    import inspect

    from art_training import checks, steps

    for module, group, kind in ((steps, "steps", steps.Step), (checks, "checks", checks.Check)):
        found = {name: getattr(module, name) for name in module.__all__}
        classes = {
            name
            for name, one in found.items()
            if isinstance(one, type)
            and issubclass(one, kind)
            and not inspect.isabstract(one)
            and name != "FunctionCheck"
        }
        assert set(plugins.offered(group)) == classes


def test_a_module_is_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "theirs_unseen" / "inner"
    package.mkdir(parents=True)
    for file in (package.parent / "__init__.py", package / "__init__.py", package / "one.py"):
        file.write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.source_files("theirs_unseen.inner.one") == (package / "one.py",)
    assert plugins.source_files("theirs_unseen.inner") == (package / "__init__.py", package / "one.py")
    assert plugins.source_files("theirs_unseen.other") == plugins.source_files("no_such_package.one") == ()
