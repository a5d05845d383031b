"""The pages of the documentation that come with ART, to be read where no browser and no network is."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import art_training
from art_training.errors import UsageError
from art_training.records.meant import did_you_mean

SECTIONS: Mapping[str, str] = {
    "tutorials": "Tutorials",
    "howto": "How to",
    "recipe": "The recipe, step by step",
    "explanation": "Why it is so",
}
"""What a folder of pages is called."""

_NOT_READ = frozenset({"index", "dashboard_pictures"})  # lists of links, and of pictures

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^(`{3,}|:{3,})\{(?P<name>[\w-]+)\}[^\n]*\n(?P<body>.*?)^\1[ ]*\n?", re.MULTILINE | re.DOTALL)
_CODE = frozenset({"code-cell", "code-block", "code"})
_OPTION = re.compile(r"^(:[\w-]+:.*|---\n.*?---)\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#\s]+\.md)(#[^)]*)?\)")
_IMAGE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n?", re.MULTILINE)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


class Page(NamedTuple):
    """One page.

    Attributes:
        name: by which it is asked for.
        section: the folder that it is in.
        title: its heading.
        file: where it is.
    """

    name: str
    section: str
    title: str
    file: Path


@cache
def pages() -> Mapping[str, Page]:
    """All pages by name, in the order of their sections; of two of one name, the second is called by its section, too."""
    found: dict[str, Page] = {}
    for page in _found(folder_of_pages()):
        name = page.name if page.name not in found else f"{page.section}/{page.name}"
        found[name] = page._replace(name=name)
    return found


def page_called(name: str) -> Page:
    """The page of this name.

    Raises:
        UsageError: there is none.
    """
    known = {_spelled(one): page for one, page in pages().items()}
    wanted = _spelled(name.removesuffix(".md"))
    wanted = wanted if wanted in known else wanted.rpartition("/")[2]
    if wanted not in known:
        raise UsageError(f"no page is called {name!r}{did_you_mean(name, pages())}; `art docs` lists them")
    return known[wanted]


def _spelled(name: str) -> str:
    return name.replace("-", "_").lower()


def text_of(page: Page) -> str:
    """A page as plain Markdown: what only a browser shows is left out, and links are commands."""
    return as_markdown(_FRONT.sub("", page.file.read_text(encoding="utf-8")))


def as_markdown(text: str) -> str:
    """A part of a page, without what only a browser shows; links to other pages are commands."""
    return _LINK.sub(_linked, _IMAGE.sub("", _DIRECTIVE.sub(_plain, text))).strip() + "\n"


def folder_of_pages() -> Path:
    """Inside an installed package, else in the source tree that this is."""
    package = Path(art_training.__file__).parent
    inside = package / "pages"
    return inside if inside.is_dir() else package.parents[1] / "docs"


def _found(folder: Path) -> Iterator[Page]:
    for section in SECTIONS:
        for file in sorted((folder / section).glob("*.md")):
            title = _TITLE.search(file.read_text(encoding="utf-8"))
            if file.stem not in _NOT_READ and title is not None:
                yield Page(file.stem, section, title[1].replace("`", ""), file)


def _plain(found: re.Match[str]) -> str:
    if found["name"] not in _CODE:
        return ""
    return f"```python\n{_OPTION.sub('', found['body'])}```\n"


def _linked(found: re.Match[str]) -> str:
    name = Path(found[2]).stem
    return f"{found[1]} (`art docs {name}`)" if name in pages() else found[1]
