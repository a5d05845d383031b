import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from art_training.records import (
    Action,
    Candidate,
    Change,
    Interval,
    Plan,
    PlannedStep,
    ProcessId,
    RunRecord,
    RunStatus,
    Score,
    StepProgress,
)
from art_training.stores import Store
from art_training.stores.planned import keep_plan
from art_training.stores.progress import keep_progress
from art_training.testing.history import BEGINNING, keep_run, verdict

pytestmark = pytest.mark.slow  # each starts a process and looks at it with a browser


def test_a_run_of_another_process_shows_up_by_itself_and_within_a_second(store, serve, page):
    keep_run(store, "ExploreData", minute=0, verdicts=[verdict("errors")], scores={"errors": 0.0})
    page.goto(f"{serve()}/project?name=toy")
    steps = page.locator("ol.timeline > li")
    expect(steps).to_have_count(1)
    keep_run(store, "EvaluateBaseline", minute=1, verdicts=[verdict("beats", "failed", "accuracy is 0.1, not > 0.5")])
    begun = time.monotonic()
    expect(steps).to_have_count(2)
    assert time.monotonic() - begun < 5  # a second on a machine that has nothing else to do; the benchmark tells
    expect(steps.nth(1)).to_contain_text("failed")
    expect(steps.nth(1)).to_contain_text("accuracy is 0.1, not > 0.5")


def test_a_failed_step_never_looks_passed_and_steps_after_it_never_look_done(store, serve, page):
    keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])
    keep_run(store, "A", minute=5, verdicts=[verdict("a", "failed")])
    page.goto(f"{serve()}/project?name=toy")
    first, second = page.locator("ol.timeline > li").nth(0), page.locator("ol.timeline > li").nth(1)
    expect(first.locator(".badge")).to_have_text(re.compile("failed"))
    expect(second.locator(".badge")).to_have_text(re.compile("not run"))
    expect(second).to_contain_text("waits for A, which failed")
    expect(page.locator(".call")).to_have_text(re.compile("^Next: A failed a; .* and type art run again.$"))
    expect(page.locator(".call code")).to_have_text(["a", "art run"])


@pytest.mark.parametrize(("status", "says"), [(RunStatus.INTERRUPTED, "interrupted"), (RunStatus.ERRORED, "errored")])
def test_a_step_that_did_not_end_says_so(store, serve, page, status, says):
    keep_run(store, "Overfit", status=status, error="RuntimeError: shapes do not fit")
    page.goto(f"{serve()}/project?name=toy")
    expect(page.locator("ol.timeline .badge")).to_have_text(re.compile(says))


def keep_running(store: Store, project: str, minute: int) -> RunRecord:
    """A run of this process, which began twenty seconds ago."""
    now = datetime.now(UTC)
    begun = keep_run(
        store, "A", minute=minute, project=project, status=RunStatus.RUNNING, process=str(ProcessId.current())
    )
    running = replace(begun, started=now - timedelta(seconds=20), heartbeat=now)
    store.write(running)
    return running


def keep_stale(store: Store, project: str, minute: int, *steps: str) -> None:
    """Steps that passed, and whose learning rate was changed since."""
    for later, step in enumerate(steps):
        keep_run(store, step, minute=minute + later, project=project, verdicts=[verdict("a")])
    rate = (Change("hparams.lr", 0.1, 0.2),)
    stale = [PlannedStep(step, step, Action.RUN, "hparams.lr: 0.1 -> 0.2", changes=rate) for step in steps]
    keep_plan(store, Plan(project, tuple(stale)), at=BEGINNING + timedelta(minutes=minute + 5))


def not_run(store: Store, project: str, minute: int) -> None:
    keep_plan(store, Plan(project, (PlannedStep("A", "A", Action.RUN, "new", seconds=90.0),)))


def interrupted(store: Store, project: str, minute: int) -> None:
    keep_stale(store, project, minute, "A", "B")
    keep_run(store, "A", minute=minute + 10, project=project, status=RunStatus.INTERRUPTED)


def broken(store: Store, project: str, minute: int) -> None:
    step = PlannedStep("A", "A", Action.RUN, "its setup is broken", broken="RuntimeError: it does not build")
    keep_plan(store, Plan(project, (step,)))


def running(store: Store, project: str, minute: int) -> None:
    progress = StepProgress("A", "fit", 3, 10, fraction=0.3, seconds_left=52.0)
    keep_progress(store, project, keep_running(store, project, minute).id, progress, datetime.now(UTC))


# By project: how it comes to stand so, and what its page says of each step.
STATES: dict[str, tuple[Callable[[Store, str, int], object], list[tuple[str, list[str]]]]] = {
    "not run": (not_run, [("not run", ["about 1 min 30 s"])]),
    "running": (running, [("running", ["fit, epoch 4 of 10, ", " so far, about ", " s left of fit"])]),
    "passed": (
        lambda s, p, m: keep_run(s, "A", minute=m, project=p, verdicts=[verdict("a")]),
        [("passed", ["1 check passed"])],
    ),
    "failed": (
        lambda s, p, m: keep_run(
            s, "A", minute=m, project=p, verdicts=[verdict("a", "failed", "loss is 0.31, not < 0.05")]
        ),
        [("failed", ["loss is 0.31, not < 0.05"])],
    ),
    "errored": (
        lambda s, p, m: keep_run(s, "A", minute=m, project=p, status=RunStatus.ERRORED, error="ValueError: no"),
        [("errored", ["ValueError: no"])],
    ),
    "unchecked": (lambda s, p, m: keep_run(s, "A", minute=m, project=p, verdicts=[]), [("unchecked", [])]),
    "stale": (lambda s, p, m: keep_stale(s, p, m, "A"), [("passed, stale", ["hparams.lr: 0.1 -> 0.2"])]),
    "interrupted": (
        interrupted,
        [
            ("interrupted", []),
            (
                "not run, stale",
                [
                    "waits for A, which was interrupted; its own last run passed",
                    "stale: hparams.lr: 0.1 -> 0.2",
                ],
            ),
        ],
    ),
    "broken": (broken, [("not run", ["RuntimeError: it does not build"])]),
}


def test_every_state_is_told_in_words_with_what_is_behind_it(store, serve, page):
    for place, (project, (keep, _)) in enumerate(STATES.items()):
        keep(store, project, 20 * place)  # the time is part of a run's id
    address = serve()
    for project, (_, steps) in STATES.items():
        page.goto(f"{address}/project?name={project}")
        shown = page.locator("ol.timeline > li")
        expect(shown).to_have_count(len(steps))
        for place, (badge, told) in enumerate(steps):
            expect(shown.nth(place).locator(".head .badge")).to_have_text(re.compile(rf"^\W*{badge}$"))
            for text in told:
                expect(shown.nth(place)).to_contain_text(text)
        what = {"passed": "every step passed", "unchecked": "no check asked", "running": "A is running"}
        expect(page.locator(".call")).to_contain_text(what.get(project, "A"))


def test_a_step_that_ran_before_says_how_long_it_will_take_in_all(store, serve, page):
    keep_run(store, "A", seconds=7000.0, verdicts=[verdict("a")])
    progress = StepProgress("A", "fit", 3, 10, fraction=0.3, seconds_left=52.0)
    keep_progress(store, "toy", keep_running(store, "toy", 9).id, progress, datetime.now(UTC))
    page.goto(f"{serve()}/project?name=toy")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "30")
    expect(page.locator("ol.timeline > li")).to_contain_text("so far, about 1 h 56 min left")


def test_a_run_that_went_on_from_another_is_as_long_on_every_page(store, serve, page):
    first, last = (keep_run(store, "A", minute=m, seconds=15.0, verdicts=[verdict("a")]) for m in range(2))
    store.write(replace(last, resumed=first.id, seconds_before=65.0))
    address = serve()
    pages = (
        "/project?name=toy",
        "/step?project=toy&step=A",
        f"/compare?run={first.id}&run={last.id}",
        f"/run?id={last.id}",
    )
    for path in pages:
        page.goto(f"{address}{path}")
        expect(page.locator("main")).to_contain_text("1 min 20 s")
    expect(page.locator("main")).to_contain_text("of it before it was broken off1 min 5 s")


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.95, ("better than linear's 0.9", "is-passed")), (0.5, ("worse than linear's 0.9", "is-failed"))],
)
def test_a_score_stands_beside_the_best_baseline(store, serve, page, value, told):
    known = {"dummy": 0.1, "linear": 0.9}
    candidates = [
        Candidate(name, {"validation/accuracy": Score(one, direction="maximize")}) for name, one in known.items()
    ]
    keep_run(store, "EvaluateBaseline", candidates=candidates, verdicts=[verdict("a")])
    score = Score(value, Interval(value - 0.02, value + 0.01), 360, "maximize")
    keep_run(store, "Overfit", minute=1, scores={"validation/accuracy": score}, verdicts=[verdict("a")])
    page.goto(f"{serve()}/project?name=toy")
    scores = page.locator("ol.timeline > li .score")
    expect(scores).to_have_count(1)
    expect(scores).to_contain_text(f"validation/accuracy {value} [{value - 0.02:g}, {value + 0.01:g}]")
    expect(scores.locator(".badge")).to_have_text(told[0])
    expect(scores.locator(".badge")).to_have_class(re.compile(told[1]))


HOSTILE = '<img src=x onerror="document.title=`pwned`"><script>document.title="pwned"</script>{{7*7}}${7*7}'


def test_hostile_names_errors_and_reasons_are_text(store, serve, page):
    keep_run(store, HOSTILE, minute=0, project=HOSTILE, verdicts=[verdict("c", "failed", HOSTILE)], summary=HOSTILE)
    keep_run(store, "B", minute=1, project=HOSTILE, status=RunStatus.ERRORED, error=HOSTILE)
    page.goto(f"{serve()}/")
    page.get_by_role("link", name=HOSTILE).click()
    step = page.locator("ol.timeline > li").first
    expect(step.locator("h2")).to_have_text(HOSTILE)
    expect(step.locator(".checks")).to_contain_text(HOSTILE)
    expect(page.locator("h1")).to_have_text(HOSTILE)
    assert "pwned" not in page.title().replace(HOSTILE, "")
    assert page.locator("main img, main script").count() == 0


def test_a_project_before_its_first_run_says_what_to_do_and_is_filled_when_it_comes(serve, page, tmp_path):
    page.goto(f"{serve()}/project?name=toy")
    expect(page.locator(".notice")).to_contain_text("Type `art run`")
    from contextlib import closing

    from art_training.stores.sql import SqlStore

    with closing(SqlStore(tmp_path / "art.db")) as store:
        keep_run(store, "A", verdicts=[verdict("a")])
    expect(page.locator("ol.timeline > li")).to_have_count(1)


def test_a_store_that_cannot_be_read_says_so(serve, page, tmp_path):
    address = serve()
    (tmp_path / "art.db").write_bytes(b"this is no database" * 100)
    page.goto(f"{address}/project?name=toy")
    expect(page.locator(".notice")).to_contain_text("This cannot be shown:")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(store, serve, browser, scheme):
    for minute, state in enumerate(("passed", "failed", "errored", "not judged")):
        keep_run(store, f"Step{minute}", minute=minute, verdicts=[verdict("a", state)], summary="what it saw")
    keep_run(store, "Running", minute=9, status=RunStatus.RUNNING)
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    address = serve()
    for path in ("/", "/project?name=toy"):
        page.goto(address + path)
        expect(page.locator("main")).to_contain_text("toy")
        page.wait_for_timeout(300)
        found = Axe().run(page).response["violations"]
        assert not [(one["id"], [node["target"] for node in one["nodes"]]) for one in found], path
    context.close()


def test_the_theme_is_kept(store, serve, page):
    keep_run(store, "A", verdicts=[verdict("a")])
    address = serve()
    page.goto(f"{address}/project?name=toy")
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    page.goto(f"{address}/")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))


def test_the_keyboard_reaches_everything(store, serve, page):
    keep_run(store, "A", verdicts=[verdict("a")])
    page.goto(f"{serve()}/project?name=toy")
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    known = ["To the content", "ART", "Project", "Runs", "Theme: as the system", "Projects", "A", "1 check passed"]
    assert [name for name in reached if name in known][: len(known)] == known
