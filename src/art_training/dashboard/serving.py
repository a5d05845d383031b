"""Starts the dashboard: one process, one store, and one address that it tells."""

import asyncio
import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from art_training.dashboard.access import Access, Guard, is_loopback
from art_training.dashboard.pulse import Pulse
from art_training.dashboard.source import Source
from art_training.errors import ARTError, UsageError
from art_training.stores import Store
from art_training.views.table import TableQuery, table_of

_PORT = 8642
_TRIES = 20  # ports after it that are tried where none was asked for
_STATIC = Path(__file__).parent / "static"


def serve(
    source: Source,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    project: str = "",
    browse: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve the dashboard until Ctrl-C or SIGTERM.

    Args:
        source: the store.
        host: the address to listen at. On any other than loopback a token is made, which visitors must bring.
        port: of the address; 0 means any that is free, None 8642 or one of the next.
        project: whose page is told and opened; empty for the list of projects, which every page leads to.
        browse: whether to open a browser.
        told: is given the address, with the token if there is one.

    Raises:
        UsageError: the address cannot be listened at, or the extra `dashboard` is not installed.
    """
    _require_nicegui()
    listener = listening(host, port)
    chosen = int(listener.getsockname()[1])
    access = Access.to(host, chosen)
    shown = f"[{host}]" if ":" in host else host
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else shown  # noqa: S104  Compared, not bound.
    query = urlencode({key: value for key, value in (("name", project), ("token", access.token)) if value})
    address = f"http://{name}:{chosen}/{'project' if project else ''}" + (f"?{query}" if query else "")
    with listener, tempfile.TemporaryDirectory(prefix="art-dashboard-") as scratch:
        os.environ["NICEGUI_STORAGE_PATH"] = scratch  # else it makes a folder where the user works
        _register(source, access, _greeting(host, chosen, lambda: _greet(address, told, browse=browse)))
        _run(listener, host, chosen)


def _register(source: Source, access: Access, greeting: Callable[[], Coroutine[None, None, None]]) -> None:
    """Make the pages, what they load, and who may see them known to the web framework."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what the web framework imports
        from nicegui import app

    from art_training.dashboard.pages import register

    pulse = Pulse(source)
    register(source, pulse)
    app.add_static_files("/static", str(_STATIC))
    beating: list[asyncio.Task[None]] = []

    def start() -> None:
        begun = (pulse.beat(), greeting(), _look_ahead(source))
        beating.extend(asyncio.get_running_loop().create_task(one) for one in begun)

    def stop() -> None:
        for task in beating:
            task.cancel()
        source.close()

    app.on_startup(start)
    app.on_shutdown(stop)
    app.add_middleware(Guard, access=access)


async def _look_ahead(source: Source) -> None:
    """Read what the store remembers once it was read, before a reader waits for it: which columns tables have."""
    with suppress(ARTError):  # the page that shows it says so
        await source.ask(_tables_of_newest)


def _tables_of_newest(store: Store) -> None:
    for project in store.projects()[:1]:
        for step in store.latest(project):
            table_of(store, TableQuery(project, step, size=1))


def _run(listener: socket.socket, host: str, port: int) -> None:
    from nicegui import ui

    takes = hasattr(socket, "AF_UNIX")
    if not takes:  # on Windows the server opens a socket of its own
        listener.close()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")  # to stderr
    with suppress(KeyboardInterrupt):
        ui.run(
            host=host,
            port=port,
            title="ART",
            favicon=_STATIC / "favicon.svg",
            dark=None,
            language="en-GB",
            reload=False,
            show=False,
            show_welcome_message=False,
            tailwind=False,
            binding_refresh_interval=None,
            uvicorn_logging_level="error",
            fd=listener.fileno() if takes else None,
            timeout_graceful_shutdown=1,  # open pages hold connections for as long as they are open
        )


def _greeting(host: str, port: int, greet: Callable[[], None]) -> Callable[[], Coroutine[None, None, None]]:
    """Greets when the server answers: what it starts is started before it listens."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  Compared, not bound.

    async def greeting() -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(reached, port)
                writer.close()
                break
            await asyncio.sleep(0.02)
        greet()

    return greeting


def _greet(address: str, told: Callable[[str], None], *, browse: bool) -> None:
    told(address)
    if browse:
        import webbrowser

        webbrowser.open(address)


def listening(host: str, port: int | None) -> socket.socket:
    """The socket that the dashboard answers at: from here on nobody else can take the port.

    Args:
        host: the address.
        port: of it; 0 means any that is free, None 8642 or one of the next.

    Raises:
        UsageError: it is taken, or there is no such address.
    """
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is no port; give one of 0 to 65535, 0 for any that is free")
    tried = range(_PORT, _PORT + _TRIES) if port is None else (port,)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    why = ""
    for one in tried:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((host, one))
            listener.listen()  # until then another can be bound to the same
        except (OSError, OverflowError) as error:
            listener.close()
            why = getattr(error, "strerror", None) or str(error)
        else:
            return listener
    ports = f"port {port}" if port is not None else f"any port of {_PORT} to {_PORT + _TRIES - 1}"
    remedy = "name another with --port, or 0 for any that is free" if is_loopback(host) else "is it this machine's?"
    raise UsageError(f"the dashboard cannot listen at {host}, {ports}: {why}; {remedy}")


def _require_nicegui() -> None:
    from importlib.util import find_spec

    if find_spec("nicegui") is None:
        raise UsageError("the dashboard needs NiceGUI; install it with: pip install 'art-training[dashboard]'")
