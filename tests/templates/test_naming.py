import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import UsageError
from art_training.templates.naming import require_free, require_name


@pytest.mark.parametrize("name", ["a", "leaves", "Leaves-2026", "my_project", "v1.2"])
def test_a_name_is_that_of_the_folder(name: str) -> None:
    assert require_name(Path("some where") / name) == name


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("my project", "my-project"),
        ("2026-leaves", "leaves"),
        ("leaves-", "leaves"),
        ("blätter", "bl-tter"),
        ("-x", "x"),
    ],
)
def test_what_is_no_name_is_refused_with_one_that_is(name: str, better: str) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(repr(name))} is no name .*, for example {better}$"):
        require_name(Path(name))


@pytest.mark.parametrize("name", ["con", "NUL", "123", "***"])
def test_where_nothing_is_near_none_is_proposed(name: str) -> None:
    with pytest.raises(UsageError, match=r"give another$"):
        require_name(Path(name))


@given(
    st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1).filter(
        lambda text: text not in {".", ".."}
    )
)
def test_whatever_is_proposed_is_a_name(text: str) -> None:
    try:
        name = require_name(Path(text))
    except UsageError as error:
        proposed = str(error).rpartition(", for example ")[2]
        if ", for example " in str(error):
            assert require_name(Path(proposed)) == proposed
    else:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_only_a_folder_that_is_empty_or_not_there_is_free(tmp_path: Path) -> None:
    require_free(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, why in (("file", "is a file"), ("full", "is not empty"), ("dangling", "is a file")):
        with pytest.raises(UsageError, match=why):
            require_free(tmp_path / name)
