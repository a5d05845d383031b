"""The documentation in the terminal."""

import tomllib
from pathlib import Path

import pytest

from art_training import errors
from art_training.cli.pages import SECTIONS, page_called, pages, text_of
from art_training.errors import ARTError, UsageError


@pytest.mark.parametrize("name", sorted(pages()))
def test_every_page_reads_well_without_a_browser(name):
    text = text_of(pages()[name])
    assert text.startswith("# ")
    assert "```{" not in text
    assert ":::{" not in text
    assert ".md)" not in text


def test_pages_of_one_name_are_both_there():
    assert page_called("diagnose").section == "howto"
    assert page_called("recipe/diagnose").section == "recipe"
    assert page_called("howto/diagnose") == page_called("diagnose")
    assert page_called("overfit_one_batch") == page_called("overfit-one-batch")


def test_links_between_pages_are_commands():
    assert any("`art docs " in text_of(page) for page in pages().values())


def test_a_page_that_there_is_not_is_told():
    with pytest.raises(
        UsageError, match=r"no page is called 'stail' \(did you mean 'stale'\?\); `art docs` lists them"
    ):
        page_called("stail")


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_points_to_a_page_that_is_there(name):
    error = getattr(errors, name)
    assert issubclass(error, ARTError)
    assert not error.page or error.page in pages()


def test_the_command_lists_pages_and_shows_one(art):
    listed = art("docs")
    assert listed.code == 0
    assert all(name in listed.out for name in pages())
    shown = art("docs", "stale")
    assert shown.code == 0
    assert shown.out.startswith("# Deal with a stale step")
    wrong = art("docs", "nothing")
    assert wrong.code == 2
    assert "no page is called 'nothing'" in wrong.err


def test_an_error_names_the_page(art, tmp_path):
    (tmp_path / "art.db").write_bytes(b"no store at all, but long enough to be looked at" * 9)
    answer = art("runs", "--store", tmp_path / "art.db")
    assert answer.code == 3
    assert answer.err.endswith("(`art docs store` tells more)\n")


def test_a_wheel_has_the_pages_of_every_section():
    read = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    included = read["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {f"docs/{section}": f"art_training/pages/{section}" for section in SECTIONS}
