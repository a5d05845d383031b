"""The page in a real browser: readable by everybody, asking for nothing, running nothing, whole on paper."""

from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe

from art_training.records import Artifact
from art_training.report import as_html, report_of
from art_training.testing.history import keep_run, verdict
from art_training.views.account import account_of

pytestmark = pytest.mark.slow


@pytest.fixture
def written(toy, tmp_path) -> str:
    """The address of a report with curves, candidates, a failed step, hostile names and one that is very long."""
    hostile = "<script>document.title='harmed'</script><img src=x onerror=\"document.title='harmed'\">"
    keep_run(
        toy,
        hostile,
        minute=30,
        kind="Overfit",
        curves={"train/loss": [2.0, 1.0, 0.01], "validation/loss": [2.1, 1.2, 1.1]},
        scores={"validation/accuracy": 0.9},
        artifacts=[Artifact("gone.png", "figure", "0" * 64, 100)],
        lines=[hostile],
        verdicts=[verdict(hostile, "failed", "w" * 400)],
    )
    file = tmp_path / "report.html"
    file.write_text(as_html(report_of(account_of(toy, "toy"))), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_and_nothing_is_asked_for(browser, written, scheme):
    with closing(browser.new_context(bypass_csp=True, color_scheme=scheme)) as context:  # axe is a script
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.goto(written)
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        assert [one for one in asked if not one.startswith("data:")] == [written]
        assert "harmed" not in page.title()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_over_the_edge_of_the_screen(browser, written, width):
    with closing(browser.new_context(viewport={"width": width, "height": 800})) as context:
        page = context.new_page()
        page.goto(written)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_no_table_is_cut_off(browser, written):
    with closing(
        browser.new_context(viewport={"width": 680, "height": 1000})
    ) as context:  # the width of A4 within margins
        page = context.new_page()
        page.goto(written)
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("[...document.querySelectorAll('table')].every(one => one.offsetWidth <= 680)")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.pdf().startswith(b"%PDF")
