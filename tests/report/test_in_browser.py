"""The page in a real browser: readable by everybody, asking for nothing, running nothing, whole on paper."""

from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe

from art_training.records import Artifact, Candidate, Interval, Provenance, Score
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


@pytest.fixture
def compared(store, tmp_path) -> str:
    """The address of a report with a table of many columns, of which two hold sentences."""
    scores = {metric: Score(0.9636, Interval(0.9102, 0.9858)) for metric in ("validation/loss", "validation/accuracy")}
    point = {"lr": 0.006938, "width": 24, "dropout": 0.1771, "weight_decay": 0.0123}
    note = "pruned after epoch 2 of 10, at validation/loss 0.5741, because the median of the others was lower by then"
    trials = [Candidate(f"trial {place}", scores, point, note) for place in range(3)]
    versions = {f"package{place}": "1.0" for place in range(170)}
    keep_run(store, "Tune", candidates=trials, verdicts=[verdict("x")], provenance=Provenance(versions=versions))
    file = tmp_path / "report.html"
    file.write_text(as_html(report_of(account_of(store, "toy"))), encoding="utf-8")
    return file.as_uri()


def test_a_narrow_screen_shows_every_column_and_each_row_is_still_a_row(browser, compared):
    with closing(browser.new_context(viewport={"width": 390, "height": 800}, bypass_csp=True)) as context:
        page = context.new_page()
        page.goto(compared)
        table = page.get_by_role("table").filter(has_text="trial 0")
        assert table.get_by_role("row").count() == 4
        assert table.get_by_role("cell").filter(has_text="pruned after epoch 2").count() == 3
        rights = "every => every.map((one) => one.getBoundingClientRect().right)"
        assert max(page.locator("table.stacked :is(td:not(.empty), th[scope=row])").evaluate_all(rights)) <= 390
        names = "one => getComputedStyle(one, '::before').content"
        assert "what became of it" in table.get_by_text("pruned after epoch 2").first.evaluate(names)
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_a_wide_screen_gives_sentences_and_settings_their_room(browser, compared):
    with closing(browser.new_context(viewport={"width": 1280, "height": 800})) as context:
        page = context.new_page()
        page.goto(compared)
        widths = page.locator("td.long").evaluate_all("every => every.map((one) => one.offsetWidth)")
        assert widths
        assert min(widths) >= 230


def test_paper_begins_no_page_without_need_and_holds_no_page_of_packages(browser, compared):
    with closing(browser.new_context(viewport={"width": 680, "height": 1000})) as context:
        page = context.new_page()
        page.goto(compared)
        folded = page.locator("details", has_text="All 170 installed distributions")
        assert folded.locator("pre").is_hidden()
        folded.locator("summary").click()
        assert folded.locator("pre").is_visible()
        page.emulate_media(media="print")
        assert folded.is_hidden()
        forced = (
            "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).breakBefore === 'page').length"
        )
        assert page.evaluate(forced) == 0


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


SPLIT = """() => {
    const split = [], texts = document.createTreeWalker(document.querySelector('main') ?? document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (!text.parentElement.closest('td, th')) continue;
        for (const found of text.data.matchAll(/[-+]?\\d[\\d.,]*(e[-+]?\\d+)?/g)) {
            const range = document.createRange();
            range.setStart(text, found.index);
            range.setEnd(text, found.index + found[0].length);
            if (new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size > 1) split.push(found[0]);
        }
    }
    return split;
}"""
BEYOND = """() => [...document.querySelectorAll('svg.figure text')].filter((one) => {
    const frame = one.ownerSVGElement.getBoundingClientRect(), box = one.getBoundingClientRect();
    return box.right > frame.right + 1 || box.left < frame.left - 1;
}).map((one) => one.textContent)"""


@pytest.mark.parametrize("width", [680, 390])
def test_no_number_is_broken_in_a_table_or_cut_in_a_figure(browser, store, tmp_path, width):
    """However little room a column has: half of a number is another number."""

    def candidate(name: str, seed: int) -> Candidate:
        scores = {
            metric: Score(value, Interval(value - 0.0123456, value + 0.0123456), 400)
            for metric, value in (("validation/accuracy", 0.9638), ("validation/loss", 0.1364), ("gap", -0.002189))
        }
        cost = {
            "training_seconds": 63.91,
            "parameters": 23070 + seed,
            "bytes": 92280,
            "temperature": 1.014,
            "batch": 1.5e-05,
        }
        return Candidate(
            name,
            scores | {"gain": Score(-0.001189 * seed, Interval(-0.005587, 0.0012081))},
            cost,
            "better by 0.1158 [0.06111, 0.1688] with a decay of 0.980392",
        )

    keep_run(
        store,
        "Squeeze",
        candidates=[candidate("ensemble", 1), candidate("calibrated", 2), candidate("student", 3)],
        verdicts=[verdict("export_difference <= 1e-05", "passed", "the export is at most 1.234e-06 off")],
    )
    file = tmp_path / "report.html"
    file.write_text(as_html(report_of(account_of(store, "toy"))), encoding="utf-8")
    with closing(browser.new_context(viewport={"width": width, "height": 1000})) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        if width == 680:
            page.emulate_media(media="print")
        assert "23071" in page.content()
        assert page.evaluate(SPLIT) == []
        assert page.evaluate(BEYOND) == []
