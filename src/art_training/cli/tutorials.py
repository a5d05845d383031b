"""The tutorials that come with ART: which there are, in which order they are read, and for how long."""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from art_training.cli.pages import Page, folder_of_pages, pages
from art_training.errors import UsageError
from art_training.records.meant import did_you_mean

SECTION = "tutorials"

_LIST = re.compile(r"^```\{toctree\}\n(?::[^\n]*\n)*\n?(.*?)^```", re.MULTILINE | re.DOTALL)
_MINUTES = re.compile(r"^\*About (\d+) minutes", re.MULTILINE)


class Tutorial(NamedTuple):
    """One tutorial.

    Attributes:
        page: where it stands, by which name and under which title.
        minutes: that it takes to read and to run.
    """

    page: Page
    minutes: int


@cache
def tutorials() -> Mapping[str, Tutorial]:
    """All of them by name, in the order of their list."""
    listed = _LIST.search((folder_of_pages() / SECTION / "index.md").read_text(encoding="utf-8"))
    known = {page.file.stem: page for page in pages().values() if page.section == SECTION}
    found = (known[name] for name in (listed[1].split() if listed else ()))
    return {page.file.stem: Tutorial(page, _minutes(page)) for page in found}


def tutorial_called(name: str) -> Tutorial:
    """The tutorial of this name.

    Raises:
        UsageError: there is none.
    """
    wanted = name.removesuffix(".md").replace("-", "_").lower()
    if wanted not in tutorials():
        raise UsageError(f"no tutorial is called {name!r}{did_you_mean(name, tutorials())}; `art learn` lists them")
    return tutorials()[wanted]


def _minutes(page: Page) -> int:
    told = _MINUTES.search(page.file.read_text(encoding="utf-8"))
    return int(told[1]) if told else 0
