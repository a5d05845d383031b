import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from art_training.records import Interval, Provenance, RunStatus, Score
from art_training.stores import Point
from art_training.testing.history import keep_run, verdict

pytestmark = pytest.mark.slow  # each starts a process and looks at it with a browser

HOSTILE = '<img src=x onerror="document.title=`pwned`"><script>document.title="pwned"</script>{{7*7}}${7*7}'


def keep(
    store, minute, value, *, project="toy", name="hparams.lr", reason="as it is", status=RunStatus.COMPLETED, **more
):
    """A run that reached a value, with what tells it from the others."""
    accuracy = Score(value, Interval(value - 0.02, value + 0.01), 360, "maximize")
    return keep_run(
        store,
        "Overfit",
        project=project,
        minute=minute,
        status=status,
        scores={"validation/accuracy": accuracy, "train/loss": Score(1 - value, direction="minimize")},
        curves={"train/loss": [2.3, 1.1, 1 - value], "validation/loss": [2.3, 1.3, 1.2 - value]},
        components={name: 10.0**-minute, "model: Net": {"digest": f"{minute:064x}"}},
        parameters={name: 10.0**-minute},
        verdicts=[verdict("good", "passed" if value > 0.5 else "failed", reason)],
        provenance=Provenance(
            versions={"torch": f"2.{minute}.0", "numpy": "2.1"},
            host="lovelace",
            git_commit="1f3a" * 10,
            git_dirty=minute == 2,
            git_diff="diff --git a/toy/net.py b/toy/net.py\n-x = 2\n+x = 1\n" if minute == 2 else "",
        ),
        **more,
    ).id


def address(*runs):
    return "/compare?" + "&".join(f"run={run}" for run in runs)


def table(page, name):
    return page.get_by_role("table", name=name, exact=True)


def test_what_tells_runs_apart_and_what_came_out_stand_beside_each_other(store, serve, page):
    runs = [keep(store, minute, value) for minute, value in ((1, 0.31), (2, 0.95), (3, 0.7))]
    page.goto(serve() + address(*runs))
    best = table(page, "Scores").get_by_role("row", name="validation/accuracy").get_by_role("cell").nth(1)
    expect(best).to_have_text(re.compile(r"0\.95 \[0\.93, 0\.96\].*best"))
    expect(table(page, "What differs: hyper-parameters")).to_contain_text("0.001")
    expect(table(page, "What differs: versions")).to_contain_text("2.3.0")
    expect(table(page, "What differs: versions")).not_to_contain_text("numpy")
    expect(table(page, "Checks whose answers differ")).to_contain_text("failed")
    page.get_by_text("1 line added, 1 removed").click()
    expect(page.get_by_role("region", name="to toy/net.py")).to_contain_text("+x = 1")
    picture = page.get_by_role("img", name=re.compile("^loss over optimiser steps"))
    expect(picture).to_have_attribute("aria-label", re.compile("0.3"))
    page.get_by_label("scale").select_option("log")
    expect(page).to_have_url(re.compile(r"run=.*run=.*run=.*log=1"))
    page.goto(page.url)
    expect(page.get_by_label("scale")).to_have_value("log")
    page.get_by_role("link", name="leave 000003 out").click()
    expect(table(page, "Runs").get_by_role("columnheader")).to_have_count(2)


def test_what_only_one_step_has_is_folded_and_curves_come_last(store, serve, page):
    options = [{"step.share": 0.01, "step.steps": 1}, {"step.target": 0.1, "step.steps": 2}]
    names = (["a", "both"], ["b", "both"])
    runs = [
        keep_run(
            store,
            f"Step{at}",
            minute=at,
            parameters=options[at],
            curves={"train/loss": [1.0, 0.5]},
            verdicts=[verdict(name, "passed" if at or name != "both" else "failed") for name in names[at]],
        ).id
        for at in (0, 1)
    ]
    page.goto(serve() + address(*runs))
    expect(table(page, "What differs: step").get_by_role("rowheader", name="step.")).to_have_text(["step.steps"])
    expect(table(page, "Checks whose answers differ").get_by_role("rowheader")).to_have_text(["both"])
    expect(table(page, "Options that not all have")).not_to_be_visible()
    page.get_by_text("2 options that not all of these steps have").click()
    expect(table(page, "Options that not all have").get_by_role("rowheader")).to_have_text(
        ["step.share", "step.target"]
    )
    page.get_by_text("2 checks that not all of them were asked").click()
    expect(table(page, "Checks that not all were asked")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Runs", "What tells them apart", "Checks", "Curves"])


def test_a_run_that_goes_on_in_another_process_is_drawn_as_it_goes(store, serve, page):
    done = keep(store, 1, 0.5)
    going = keep(store, 2, 0.6, status=RunStatus.RUNNING)
    page.goto(serve() + address(done, going))
    curve = page.locator("figure.curves").first
    expect(curve).to_have_attribute("data-points", "12")
    store.append(going, points=[Point("train/loss", step, 0, 0.1) for step in range(3, 8)])
    expect(curve).to_have_attribute("data-points", "17")


def test_too_few_too_many_and_unknown_runs_are_told_in_a_sentence(store, serve, page):
    kept = [keep_run(store, "A", minute=minute).id for minute in range(11)]
    begin = serve()
    for runs, says in (
        ([], "0 runs cannot be compared; give 2 to 10"),
        (kept[:1], "1 run cannot be compared; give 2 to 10"),
        (kept, "11 runs cannot be compared; give 2 to 10"),
        ([*kept[:1], "none"], "there is no run 'none'"),
    ):
        page.goto(begin + address(*runs))
        expect(page.locator(".notice p")).to_contain_text(says)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it_and_hostile_text_is_text(store, serve, browser, scheme):
    kept = [keep(store, n, n / 12, project=HOSTILE, name=HOSTILE, reason=HOSTILE) for n in range(1, 11)]
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(serve() + address(*kept))
    expect(table(page, "Runs").get_by_role("columnheader")).to_have_count(10)
    expect(page.locator("figure.curves").first).to_have_attribute("data-points", "60")
    expect(page.get_by_role("row", name=HOSTILE).first).to_be_visible()
    assert page.locator("main script, main img[src=x]").count() == 0
    assert "pwned" not in page.title()
    found = Axe().run(page).response["violations"]
    assert not [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    context.close()
