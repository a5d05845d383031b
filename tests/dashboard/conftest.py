"""A real dashboard in a second process, and a real browser that looks at it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from art_training.stores import Store
from art_training.stores.sql import SqlStore


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window of its own that reaches this machine alone: whatever asks for another is an error of the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.set_default_timeout(20_000)
    foreign: list[str] = []
    context.on("request", lambda one: None if _is_local(one.url) else foreign.append(one.url))
    yield context
    context.close()
    assert not foreign


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert not errors


@pytest.fixture
def violations(browser: Browser) -> Callable[[str, str], list[str]]:
    """What axe finds wrong with a page, in light and in dark, once it shows a text."""

    def look(address: str, shown: str) -> list[str]:
        found: list[str] = []
        for scheme in ("light", "dark"):
            with closing(browser.new_context(color_scheme=scheme)) as context:
                page = context.new_page()
                page.goto(address)
                expect(page.locator("main")).to_contain_text(shown)
                expect(page.locator("body")).to_have_class(re.compile(f"body--{scheme}"))
                told = Axe().run(page).response["violations"]
                found += [f"{scheme}: {one['id']} at {node['target']}" for one in told for node in one["nodes"]]
        return found

    return look


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store on disk, to be filled by the test: the writing process."""
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts `art dashboard` on this folder's store; gives its address."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> str:
        command = [sys.executable, "-m", "art_training", "dashboard", "--no-open", "--port", "0"]
        child = subprocess.Popen(
            [*command, "--store", str(tmp_path / "art.db"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=_as_a_user(),
        )
        started.append(child)
        assert child.stdout is not None
        said = ""
        for line in child.stdout:
            said += line
            if found := re.search(r"http://\S+", line):
                start.said.append(said)
                threading.Thread(target=child.stdout.read, daemon=True).start()  # so that it never waits for a reader
                return found[0].rstrip("/")
        raise AssertionError(f"the dashboard ended with {child.wait()}: {said}")

    start.processes = started
    start.said = []  # by each until it gave its address
    yield start
    for child in started:
        child.terminate()
        assert child.wait(timeout=20) == -signal.SIGTERM
        assert child.stdout is not None
        child.stdout.close()


def _as_a_user() -> dict[str, str]:
    """Without what tells the web framework that it is tested: it would start otherwise."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {
        "PYTHONUNBUFFERED": "1"
    }


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:", "blob:"))
