import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from art_training.records import RunStatus
from art_training.testing.history import keep_run, verdict

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
    expect(page.locator(".call")).to_contain_text("Next:")


@pytest.mark.parametrize(("status", "says"), [(RunStatus.INTERRUPTED, "interrupted"), (RunStatus.ERRORED, "errored")])
def test_a_step_that_did_not_end_says_so(store, serve, page, status, says):
    keep_run(store, "Overfit", status=status, error="RuntimeError: shapes do not fit")
    page.goto(f"{serve()}/project?name=toy")
    expect(page.locator("ol.timeline .badge")).to_have_text(re.compile(says))


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
    (tmp_path / "art.db").write_bytes(b"this is no database" * 100)
    page.goto(f"{serve()}/project?name=toy")
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
