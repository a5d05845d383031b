"""Takes the pictures of the dashboard that the documentation shows, light and dark, from the store of `art demo`.

python docs/screenshots.py art-demo/.art/art.db
"""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore

INTO = Path(__file__).parent / "_static" / "dashboard"
SIZE = {"width": 1280, "height": 860}


def pages(store: Path) -> dict[str, str]:
    """The address of each page by the name of its picture."""
    opened = SqlStore(store, read_only=True)
    project = opened.projects()[0]
    newest = {step: run.id for step, run in opened.latest(project).items()}
    overfits = [run.id for run in opened.runs(RunQuery(project=project)) if run.step in {"Overfit", "Squeeze"}]
    opened.close()
    return {
        "project": f"/project?name={project}",
        "step": f"/step?project={project}",
        "run": f"/run?id={newest['Overfit']}",
        "compare": "/compare?" + "&".join(f"run={run}" for run in overfits[:2]),
        "data": f"/data?name={project}",
        "tune": f"/tune?name={project}",
        "findings": f"/findings?name={project}",
        "rules": "/rules",
        "rule": "/rule?code=ART402",
    }


@contextmanager
def served(store: Path) -> Iterator[str]:
    """The dashboard's address while it runs."""
    command = [sys.executable, "-m", "art_training", "dashboard", "--no-open", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            line = next(iter(child.stdout or ()), "")
            found = re.search(r"http://[^/\s]+", line)
            if found is None:
                sys.exit(f"the dashboard did not start: {line}")
            yield found[0]
        finally:
            child.terminate()


def settled(page: Page, address: str) -> None:
    """Open a page and wait until nothing moves."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1200)  # curves are animated in


def main(store: Path) -> None:
    """Take all of them."""
    INTO.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=theme)
            for name, path in pages(store).items():
                settled(page, address + path)
                taken = Image.open(io.BytesIO(page.screenshot()))
                taken.quantize(128).save(INTO / f"{name}-{theme}.png", optimize=True)  # a third of the bytes
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
