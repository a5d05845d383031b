import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from art_training.records import Candidate, Interval, Outcome, Reading, RunStatus, Score
from art_training.stores.workspaces import memory_folder, project_folder, remembered, same_work
from art_training.testing.history import keep_run
from art_training.tuning.trial import Trial
from art_training.views.search import AMOUNTS

HOSTILE = '<img src=x onerror="document.title=`pwned`">{{7*7}}'
LOSS = "validation/loss"
AT = datetime(2026, 5, 4, tzinfo=UTC)


def keep_trials(store, record, *trials: Trial) -> None:
    """Remember trials as the step does, and let the store know that something went on."""
    work = same_work(record.fingerprint, AMOUNTS).digest
    memory = memory_folder(project_folder(store, record.project), record.step, work)
    memory.mkdir(parents=True, exist_ok=True)
    for trial in trials:
        remembered(memory, trial.label).write_text(json.dumps(trial.stored()))
    store.append(record.id, lines=["a trial ended"])


def trial(number: int, value: float) -> Trial:
    score = Score(value, Interval(value - 0.1, value + 0.1), 100, "minimize")
    return Trial(number, "finished", {"lr": 0.1 / (number + 1)}, value, epochs=5, planned=5, scores={LOSS: score})


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_a_search_is_seen_trial_by_trial_while_it_runs_and_when_it_has_ended(store, serve, page, violations):
    address = serve()
    keep_run(store, "Other")
    page.goto(f"{address}/tune?name=toy")
    expect(page.locator("main")).to_contain_text("Nothing was tuned yet. Add art_training.steps.Tune(...) to the steps")
    space = {"step.by": LOSS, "step.trials": 3, "step.space.lr": {"low": 0.01, "high": 0.1, "log": True}}
    running = {"status": RunStatus.RUNNING, "heartbeat": datetime.now(UTC), "parameters": space}
    record = keep_run(store, "Tune", minute=1, **running)
    expect(page.locator("main")).to_contain_text("None has ended yet.")
    keep_trials(store, record, trial(0, 0.5))
    rows = page.get_by_role("region", name="Trials").locator("tbody tr")
    expect(rows).to_have_count(1)
    reached = page.get_by_role("img", name="1 trial reached a validation/loss")
    expect(reached).to_be_visible()
    page.get_by_role("button", name="best first").focus()
    page.keyboard.press("Enter")
    keep_trials(store, record, trial(1, 0.3), trial(2, 0.4))
    expect(rows.locator("td:first-child")).to_have_text(["1", "2", "0"])
    expect(page.get_by_role("img", name="the best is 0.3, by trial 1")).to_be_visible()
    expect(page.locator("#slices figure")).to_have_attribute("data-points", "3")
    expect(page.get_by_role("button", name="best first")).to_be_focused()
    expect(page).to_have_url(f"{address}/tune?name=toy&sort=best")
    page.reload()
    expect(rows.locator("td:first-child")).to_have_text(["1", "2", "0"])
    candidates = [Candidate(f"trial {at}", {LOSS: Score(0.5 - at / 10)}, {"lr": 0.1}) for at in range(3)]
    again = Candidate("trial 2 on 2 fresh seeds", {LOSS: Score(0.33)})
    shares = Reading("importance", {"lr": 1.0}, note="by how much trees explain")
    won = Reading("winner", "trial 2", note="handed on: it is better")
    outcome = Outcome(candidates=(*candidates, again), readings=(shares, won), parameters={"winner": "trial 2"})
    store.write(replace(record, status=RunStatus.COMPLETED, ended=AT), outcome)
    expect(page.locator(".call")).to_contain_text("trial 2: handed on: it is better")
    expect(page.locator("main")).to_contain_text("winner under fresh seedstrial 2")
    expect(rows.filter(has_text="winner").locator("td:first-child")).to_have_text(["2"])
    expect(page.get_by_role("img", name="lr 100%")).to_be_visible()
    expect(page.locator("#again tbody tr")).to_have_text("trial 20.33")
    assert violations(f"{address}/tune?name=toy", "handed on") == []


def keep_training(store, record, number: int, epochs: int) -> None:
    """Remember how far the trial is that trains now."""
    memory = memory_folder(
        project_folder(store, record.project), record.step, same_work(record.fingerprint, AMOUNTS).digest
    )
    memory.mkdir(parents=True, exist_ok=True)
    told = {"number": number, "planned": 5, "seconds": 1.0, "curves": {LOSS: dict.fromkeys(range(epochs), 0.5)}}
    remembered(memory, "trial in progress").write_text(json.dumps(told))
    store.append(record.id, lines=["an epoch ended"])


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_who_reads_the_head_is_not_disturbed_by_an_epoch(store, serve, page):
    older = keep_run(store, "Tune", parameters={"step.by": LOSS})
    running = {"status": RunStatus.RUNNING, "heartbeat": datetime.now(UTC), "parameters": {"step.by": LOSS}}
    record = keep_run(store, "Tune", minute=1, **running)
    keep_training(store, record, 0, 1)
    page.goto(f"{serve()}/tune?name=toy")
    status = page.locator(".call [role=status]")
    expect(status).to_have_text("It searches: trial 0 trains.")
    expect(page.locator(".call")).to_contain_text("epoch 1 of 5")
    page.get_by_text("Other runs").click()
    page.locator(".others a").focus()
    page.evaluate(
        """() => {
            window.heard = [];
            new MutationObserver((seen) => window.heard.push(...seen.filter((one) => one.target.closest?.('[role=status]'))))
                .observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    keep_training(store, record, 0, 2)
    expect(page.locator(".call")).to_contain_text("epoch 2 of 5")
    assert page.evaluate("window.heard.length") == 0
    keep_trials(store, record, trial(0, 0.5))
    keep_training(store, record, 1, 1)
    expect(status).to_have_text("It searches: trial 1 trains.")
    assert page.evaluate("window.heard.length") > 0
    keep_run(store, "Tune", minute=2, parameters={"step.by": LOSS})
    expect(page.locator(".others li")).to_have_count(2)
    expect(page.get_by_role("link", name=older.id[-6:])).to_be_focused()


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_hostile_dimensions_and_notes_are_text(store, serve, page):
    trials = [Candidate(f"trial {at}", {LOSS: Score(0.5)}, {HOSTILE: HOSTILE}) for at in range(2)]
    failed = Candidate("trial 2", {}, {HOSTILE: HOSTILE}, HOSTILE)
    parameters = {"step.by": LOSS, f"step.space.{HOSTILE}": {"options": {HOSTILE: HOSTILE}}}
    keep_run(store, "Tune", project=HOSTILE, candidates=[*trials, failed], parameters=parameters)
    other = keep_run(store, "Other", minute=1, project=HOSTILE)
    address = serve()
    page.goto(f"{address}/tune?name={HOSTILE}")
    expect(page.get_by_role("region", name="Trials").locator("tbody tr").first).to_contain_text(HOSTILE)
    expect(page.locator("#slices figure h3")).to_have_text(HOSTILE)
    plot = page.locator("#slices .plot canvas")
    plot.hover(position={"x": 300, "y": 100})
    assert page.locator("main img").count() == 0
    assert "pwned" not in page.title()
    page.goto(f"{address}/tune?name={HOSTILE}&run={other.id}")
    expect(page.locator("main")).to_contain_text("is none of Tune's in this project")


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_a_store_that_cannot_be_read_says_so_and_nothing_else(serve, page, tmp_path):
    address = serve()
    (tmp_path / "art.db").write_bytes(b"this is no database" * 100)
    for path in ("tune", "data", "findings"):
        page.goto(f"{address}/{path}?name=toy")
        expect(page.locator(".notice")).to_contain_text("This cannot be shown:")
        expect(page.locator("main section").filter(visible=True)).to_have_count(0)
