from pathlib import Path

import pytest

from art_training import plugins
from art_training.errors import UsageError
from art_training.templates.finding import all_templates, find_template


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: Path):
    """A distribution of somebody else that offers templates in every way, and one in none."""
    record = tmp_path / "site" / "theirs-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(
        "[art_training.templates]\n"
        "folder = their_templates:FOLDER\nfunction = their_templates:function\nwhole = their_templates:WHOLE\n"
    )
    (tmp_path / "site" / "their_templates.py").write_text(
        "from pathlib import Path\nfrom art_training.templates import Template\n"
        f"FOLDER = Path({str(theirs)!r})\n"
        "def function():\n    return str(FOLDER)\n"
        "WHOLE = Template(FOLDER, about='all of it', answers={'classes': 3})\nNONE = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    plugins.offered.cache_clear()
    yield record
    plugins.offered.cache_clear()


def test_templates_of_other_distributions_are_found_beside_those_of_art(installed: Path, theirs: Path) -> None:
    found = all_templates()
    assert {"blank", "image", "folder", "function", "whole"} <= set(found)
    assert {str(found[name].source) for name in ("folder", "function", "whole")} == {str(theirs)}
    assert (found["whole"].about, found["whole"].answers["classes"]) == ("all of it", 3)
    assert str(find_template("function")) == "function"


def test_something_else_in_the_place_of_a_template_is_named_with_who_offers_it(installed: Path) -> None:
    (installed / "entry_points.txt").write_text("[art_training.templates]\nodd = their_templates:NONE\n")
    plugins.offered.cache_clear()
    with pytest.raises(
        UsageError, match=r"the template 'odd' \(their_templates:NONE\) is of type int; it must be a path"
    ):
        find_template("odd")


def test_a_folder_is_named_by_a_path(theirs: Path) -> None:
    assert find_template("./theirs").source == str(theirs)
    assert find_template(str(theirs)).source == str(theirs)


@pytest.mark.parametrize(
    "address", ["https://git.example.org/a/b.git", "git@git.example.org:a/b", "gh:a/b", "git+https://example.org/a"]
)
def test_addresses_are_left_to_copier(address: str) -> None:
    assert find_template(address).source == address


def test_an_unknown_name_tells_those_that_there_are_and_the_one_that_was_meant(theirs: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no template is called 'imag' \(did you mean 'image'\?\); there are: .*blank, .*text"
    ):
        find_template("imag")
    with pytest.raises(UsageError, match=r"the folder of that name is written \./theirs"):
        find_template("theirs")


def test_a_folder_that_is_no_template_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty is no template: it has no copier\.yml"):
        find_template("./empty")
    with pytest.raises(UsageError, match=r"no template at nowhere/at/all, which does not exist; `art new --list`"):
        find_template("nowhere/at/all")
