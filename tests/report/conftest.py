"""Reports of stores that hold made-up history, read as a browser and as a reader of Markdown would."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from art_training.report import as_html, as_markdown, report_of
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_toy_project
from art_training.views import account

_VOID = {"meta", "img", "br", "wbr", "link", "input"}


@dataclass
class Page(HTMLParser):
    """What a page consists of; a tag that is not closed where it must be fails the test."""

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = level, (text + data).strip()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def store(tmp_path):
    opened = SqlStore(tmp_path / "art.db")
    yield opened
    opened.close()


@pytest.fixture
def toy(store):
    keep_toy_project(store)
    return store


@pytest.fixture
def page() -> Callable[..., Page]:
    """The page of a project's report."""

    def read(store: SqlStore, project: str = "toy", **known: object) -> Page:
        return Page(as_html(report_of(account.account_of(store, project, **known))))

    return read


@pytest.fixture
def markdown() -> Callable[..., str]:
    """The Markdown of a project's report."""

    def read(store: SqlStore, project: str = "toy", **known: object) -> str:
        return as_markdown(report_of(account.account_of(store, project, **known)))

    return read
