"""How quick and how frugal the dashboard is: `python -m benchmarks.dashboard` measures, and writes REPORT.md beside this file.

The real command serves a store of 10,000 runs and a million points of curves to a real Chromium on the same machine. Times
are taken in the browser, from what a reader does to what a reader sees. Give a folder to keep the store there for later.
"""

import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from art_training.stores import Store
from art_training.stores.sql import SqlStore
from benchmarks.dashboard import filling

REPORT = Path(__file__).with_name("REPORT.md")
RUNS = f"/step?project={filling.PROJECT}&step={filling.STEP}"
PAGES = {
    "the project": f"/project?name={filling.PROJECT}",
    "10,000 runs": RUNS,
    "points of 5,000 runs": f"{RUNS}&look=points",
    "the live run": f"/run?id={filling.run_id(filling.RUNS)}",
    "the live run beside another": f"/compare?run={filling.run_id(filling.RUNS)}&run={filling.run_id(0)}",
}
LONG = {
    "a live run with 200,000 lines of log": filling.LONG_LOG,
    "a live run that logs 60 layers at each step, 3,000 points so far": filling.LAYERS,
}
NO = "**no**"
WATCHED = 15.0  # seconds that each page is watched during a live run
FORGOTTEN = 6.0  # seconds until the server has forgotten a page that was closed
TIMES = 7
CLICKED = """async ([selector, table]) => {
    const body = document.querySelector(table), before = body.textContent, began = performance.now();
    document.querySelector(selector).click();
    while (body.textContent === before) await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""
# When the page is there, and when all five of its pictures are drawn, in milliseconds since it was asked for.
DRAWN = """(() => {
    const look = () => {
        const pictures = [...document.querySelectorAll('figure.curves')];
        window.there ??= document.querySelector('h1') ? performance.now() : undefined;
        if (pictures.length >= 5 && pictures.every((one) => Number(one.dataset.points) > 0)) window.drawn = performance.now();
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})()"""
CLOSER = """async (first) => {
    const pictures = [...document.querySelectorAll('figure.curves')], field = document.querySelector('input[type=number]');
    const before = pictures.map((one) => one.dataset.points), began = performance.now();
    field.value = first;
    field.dispatchEvent(new Event('change', {bubbles: true}));
    const done = (one, at) => one.dataset.first === first && one.dataset.points > 0.95 * before[at];  // less is but cut out
    while (!pictures.every(done)) await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""


class Row(NamedTuple):
    """One line of the report.

    Attributes:
        what: was measured.
        measured: the number, or the median of several.
        slowest: the largest of several.
        limit: that it is to stay under.
        holds: `yes`, `**no**`, or that only the median does; empty where there is no limit.
    """

    what: str
    measured: str
    slowest: str = ""
    limit: str = ""
    holds: str = ""


class Server(NamedTuple):
    address: str
    pid: int

    def memory(self) -> float:
        """The most megabytes that it ever held."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # pyright: ignore[reportOptionalSubscript]

    def seconds(self) -> float:
        """What it has used of the processor."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(where: Path) -> Generator[Server]:
    command = [
        sys.executable,
        "-u",
        "-m",
        "art_training",
        "dashboard",
        "--no-open",
        "--port",
        "0",
        "--store",
        str(where),
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=where.parent)
    assert child.stdout is not None
    address = next(found[0] for line in child.stdout if (found := re.search(r"http://[^\s/]+", line)))
    try:
        yield Server(address, child.pid)
    finally:
        child.terminate()
        child.wait()


@contextmanager
def window(browser: Browser) -> Generator[Page]:
    """A page with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def opened(page: Page, address: str, seen: str) -> float:
    """Milliseconds until something is seen."""
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(seen).first.wait_for()
    return (time.perf_counter() - began) * 1e3


def median(what: str, limit: float | None, times: list[float]) -> Row:
    middle, slowest = statistics.median(times), max(times)
    several = f"{slowest:.0f} ms of {len(times)}" if len(times) > 1 else ""
    holds = "" if limit is None else "yes" if slowest < limit else "the median" if middle < limit else NO
    return Row(what, f"{middle:.0f} ms", several, "" if limit is None else f"{limit:.0f} ms", holds)


def amount(what: str, measured: float, limit: float) -> Row:
    """Megabytes, which do not change from one time to another."""
    digits = 0 if limit >= 10 else 2
    return Row(what, f"{measured:.{digits}f} MB", "", f"{limit:.0f} MB", "yes" if measured < limit else NO)


def first_rows(browser: Browser, server: Server) -> list[Row]:
    times: list[float] = []
    for _ in range(TIMES):
        with window(browser) as page:
            times.append(opened(page, server.address + RUNS, "tbody tr"))
    return [
        median("first row of 10,000 runs, the very first time that the server is asked", 1000, times[:1]),
        median("first row of 10,000 runs, empty browser cache", 1000, times[1:]),
    ]


def transferred(browser: Browser, server: Server) -> list[Row]:
    rows: list[Row] = []
    for what, path in PAGES.items():
        if "live" in what:
            continue
        with window(browser) as page:
            watch = page.context.new_cdp_session(page)
            sizes: list[float] = []
            watch.send("Network.enable")
            watch.on("Network.loadingFinished", lambda one, to=sizes: to.append(one["encodedDataLength"]))
            watch.on(
                "Network.webSocketFrameReceived", lambda one, to=sizes: to.append(len(one["response"]["payloadData"]))
            )
            page.goto(server.address + path, wait_until="networkidle")
            page.wait_for_timeout(1500)
            rows.append(amount(f"transfer of {what}", sum(sizes) / 1e6, 2))
    return rows


def answered(browser: Browser, server: Server) -> list[Row]:
    """From a click to another table."""
    table = ".grid-rows tbody"
    visible = ".card:not(.narrow) .grid-rows tbody"
    heading = f"{visible.removesuffix(' tbody')} th:nth-child({{}}) button"
    clicks = {
        "a sort by a score": heading.format(11),
        "a sort by a parameter": heading.format(6),
        "a filter by state": ".states button:nth-child(2)",
        "the next page": ".pages button:last-child",
    }
    rows: list[Row] = []
    for what, selector in clicks.items():
        with window(browser) as page:
            opened(page, server.address + RUNS, f"{table} tr")
            page.wait_for_timeout(1000)
            times = [page.evaluate(CLICKED, [selector, visible]) for _ in range(TIMES)]
        rows.append(median(f"{what}, from the click to the rows", 300, times))
    with window(browser) as page:
        times = [
            opened(page, f"{server.address}{RUNS}&look=points&page={n}", "[data-drawn='points 5000']") for n in range(3)
        ]
    return [*rows, median("5,000 points of 10,000 runs, the page opened anew", None, times)]


def curves(browser: Browser, server: Server) -> list[Row]:
    """Twenty curves of 10,000 points: two runs of ten."""
    long, short = ("&run=".join(filling.run_id(n) for n in two) for two in ((0, 1), filling.SHORT))
    drawn = ".curves:nth-child(5)[data-points]:not([data-points='0'])"  # the last picture
    few, many, drawing, closer = [], [], [], []
    for _ in range(TIMES):
        with window(browser) as page:
            opened(page, f"{server.address}/compare?run={short}", drawn)  # so that the browser has what it draws with
            few.append(opened(page, f"{server.address}/compare?run={short}", drawn))
            page.add_init_script(DRAWN)
            many.append(opened(page, f"{server.address}/compare?run={long}", drawn))
            page.wait_for_function("window.drawn")
            drawing.append(page.evaluate("window.drawn - window.there"))
            page.wait_for_timeout(700)
            closer.append(page.evaluate(CLOSER, "2000"))
    longer = [max(0.0, one - other) for one, other in zip(many, few, strict=True)]
    return [
        median("two runs compared, 20 curves of ten points, the page opened", None, few),
        median("two runs compared, 20 curves of 10,000 points, the page opened", None, many),
        median("20 curves of 10,000 points: from the page there to all of them drawn", 500, drawing),
        median(
            "20 curves of 10,000 points: how much longer the page takes to open, their reading included", 500, longer
        ),
        median("20 curves of 10,000 points looked at closer: read again, sent and drawn", 500, closer),
    ]


def live(browser: Browser, server: Server, store: Store, where: Path) -> list[Row]:
    """While another process trains: what a page costs, and how soon it shows what is new."""
    rows: list[Row] = []
    with filling.training(where):
        time.sleep(FORGOTTEN)
        began, used = time.perf_counter(), server.seconds()
        time.sleep(WATCHED)
        rows.append(_per_minute("nobody looks", server.seconds() - used, time.perf_counter() - began))
        for what, path in PAGES.items():
            with window(browser) as page:
                page.goto(server.address + path, wait_until="networkidle")
                page.wait_for_timeout(FORGOTTEN * 1e3)
                began, used = time.perf_counter(), server.seconds()
                page.wait_for_timeout(WATCHED * 1e3)
                rows.append(_per_minute(what, server.seconds() - used, time.perf_counter() - began))
    for what, one in LONG.items():
        rows += _long(browser, server, where, what, one)
    return [*rows, _soon(browser, server, store)]


def _long(browser: Browser, server: Server, where: Path, what: str, live: filling.Live) -> list[Row]:
    """A live run with much behind it: until its first curve is drawn, and what its page costs from then on."""
    address = f"{server.address}/run?id={filling.run_id(live.number)}"
    with filling.training(where, live), window(browser) as page:
        opened(page, server.address, "h1")  # so that the browser has what it draws with
        first = opened(page, address, ".curves[data-points]:not([data-points='0'])")
        page.wait_for_timeout(FORGOTTEN * 1e3)
        began, used = time.perf_counter(), server.seconds()
        page.wait_for_timeout(WATCHED * 1e3)
        cost = _per_minute(what, server.seconds() - used, time.perf_counter() - began)
    return [median(f"the first curve of {what}", None, [first]), cost]


def _per_minute(what: str, used: float, seconds: float) -> Row:
    return Row(f"processor of the server during a live run, {what}", f"{60 * used / seconds:.1f} s a minute")


def _soon(browser: Browser, server: Server, store: Store) -> Row:
    times: list[float] = []
    with window(browser) as page:
        page.goto(f"{server.address}/step?project=another", wait_until="networkidle")
        for number in range(TIMES):
            began = time.perf_counter()
            store.write(filling.record(filling.RUNS + 1 + number, project="another"))
            page.locator("tbody tr").nth(number).wait_for()
            times.append((time.perf_counter() - began) * 1e3)
    return median("a run of another process shows up by itself", 1000, times)


def measure(folder: Path) -> tuple[list[Row], str]:
    where = folder / "art.db"
    with closing(SqlStore(where)) as store:
        if not store.count():
            filling.fill(store)
            filling.fill_curves(store)
        name = machine()
        with sync_playwright() as playwright, serving(where) as server:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
            parts: list[Callable[[], list[Row]]] = [
                lambda: first_rows(browser, server),
                lambda: transferred(browser, server),
                lambda: answered(browser, server),
                lambda: curves(browser, server),
                lambda: live(browser, server, store, where),
            ]
            rows = [row for part in parts for row in part()]
            memory = server.memory()
            rows.append(amount("memory of the server, the most it held", memory, 300))
            browser.close()
    return rows, name


def _chromium() -> str:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))


def machine() -> str:
    names = ", ".join(f"{name} {version(name)}" for name in ("nicegui", "playwright"))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {names}; load {os.getloadavg()[0]:.1f} when it began; {datetime.now(UTC):%Y-%m-%d}"
    )


def report(machine: str, rows: list[Row], load: float) -> str:
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"""# The dashboard

Made by `python -m benchmarks.dashboard`. Machine: {machine}; load {load:.1f} when it ended.

The store has {filling.RUNS:,} runs of one step with ten scores and twenty parameters each, and {filling.POINTS:,} points of
curves. The server is the real command, the browser a headless Chromium on the same machine, so that both share its cores.
Times are from what a reader does to what the browser shows. "How much longer" compares with the same page of 20 curves of ten
points. In the live run another process writes {filling.AT_ONCE} points, a line and its progress twice a second; the one that logs 60
layers writes 300 points more, and is followed by the runner besides (300 curves of 30 points).
A load of as many as the cores, or more, means that other work shared the machine: the times are longer than they would be alone.

| what | measured, or the median | slowest | limit | holds |
|---|---|---|---|---|
{table}
"""


def main() -> int:
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        rows, name = measure(kept or Path(folder))
    text = report(name, rows, os.getloadavg()[0])
    REPORT.write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(row.holds == NO for row in rows) else 0
