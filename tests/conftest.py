"""Every test works in a folder of its own, with no store and no secrets from outside."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

# Several test processes share the machine's cores; threads of each that wait for one another's cores cost more than
# they bring. Set before torch is imported, and inherited by the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_REQUIRED = os.environ.get("ART_TEST_BROWSER") == "required"
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory and the home folder are the test's own; the network cannot be reached."""
    for name in [name for name in os.environ if name.startswith(("ART_", "PL_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)

    def connect(self: socket.socket, address: object) -> None:
        if self.family == socket.AF_UNIX or (isinstance(address, tuple) and address[0] in {"127.0.0.1", "::1"}):
            return _CONNECT(self, address)  # type: ignore[arg-type]
        raise OSError(f"a test tried to reach {address!r}; tests never need a network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser without a window. Playwright runs one event loop for a process: never two of these at once, and
    none that outlives the module that asked for it, or whatever else wants a loop there is refused one."""
    if _CHROMIUM is None:
        (pytest.fail if _REQUIRED else pytest.skip)("no Chromium is installed: `apt install chromium`")
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=_CHROMIUM, args=[*_QUIET])) as browser,
    ):
        yield browser
