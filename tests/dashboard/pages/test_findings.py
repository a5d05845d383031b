import math
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from art_training.dashboard.pages.findings import Narrowed
from art_training.records import Finding, Severity
from art_training.testing.history import keep_run
from art_training.views.findings import FindingRow, FindingState

HOSTILE = '<img src=x onerror="document.title=`pwned`">{{7*7}}'
LEAK = Finding(
    "ART101", "data", Severity.ERROR, "14 examples of validation are in train", {"share": 0.039}, "remove them"
)
DEAD = Finding("ART318", "model", Severity.WARNING, "12 units are dead", {"loss": math.nan}, "a smaller rate", "net:12")


def row(code: str, severity: Severity, state: FindingState) -> FindingRow:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    told = Finding(code, "data", severity, "what was found")
    return FindingRow(code, "data", severity, "Diagnose", state, "", "", "", at, at, ("r",), (told,))


def test_what_is_narrowed_is_what_the_address_says() -> None:
    narrowed = Narrowed.of("found art1", "open,settled,nonsense", "error")
    rows = (
        row("ART101", Severity.ERROR, "open"),
        row("ART101", Severity.ERROR, "not judged"),
        row("ART102", Severity.INFO, "open"),
        row("ART402", Severity.ERROR, "open"),
    )
    assert narrowed.of_rows(rows) == rows[:1]
    assert Narrowed().of_rows(rows) == rows
    query = narrowed.query("toy")
    assert query == {"name": "toy", "find": "found art1", "state": "open,settled", "severity": "error"}
    assert Narrowed.of(query["find"], query["state"], query["severity"]) == narrowed


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_findings_are_seen_while_they_are_found_and_settled(store, serve, page, violations):
    keep_run(store, "ExploreData", minute=0, findings=[LEAK])
    first = keep_run(store, "Diagnose", minute=1, findings=[DEAD])
    address = serve()
    page.goto(f"{address}/findings?name=toy")
    cards = page.locator("article")
    expect(cards).to_have_count(2)
    expect(page.get_by_role("region", name="Open").locator("article")).to_have_count(2)
    expect(cards.first).to_contain_text("14 examples of validation are in train")
    expect(cards.first).to_contain_text("remove them")
    cards.nth(1).get_by_text("Its numbers").click()
    expect(cards.nth(1).locator("details")).to_contain_text("nan")
    settling = keep_run(store, "ExploreData", minute=30)  # by another process
    settled = page.get_by_role("region", name="Settled").locator("article")
    expect(settled).to_contain_text("settled: no longer found")
    expect(settled.get_by_role("link", name="settled by")).to_have_attribute("href", f"/run?id={settling.id}")
    dead = page.get_by_role("region", name="Open").locator("article")
    expect(dead.locator("details")).to_have_attribute("open", "")  # nobody closed it
    expect(dead.get_by_role("link", name="first")).to_have_attribute("href", f"/run?id={first.id}")
    assert violations(f"{address}/findings?name=toy", "12 units are dead") == []
    page.get_by_role("button", name="error").focus()
    page.keyboard.press("Enter")
    expect(cards.filter(visible=True)).to_have_count(1)
    expect(page).to_have_url(f"{address}/findings?name=toy&severity=error")
    page.reload()
    expect(page.get_by_role("button", name="error")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="error")).to_have_attribute("aria-pressed", "false")
    page.go_forward()
    expect(page.get_by_role("button", name="error")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".counted")).to_have_text("1 finding of 2")
    page.get_by_role("link", name="ART101").click()
    expect(page.locator("h1")).to_contain_text("ART101")
    page.get_by_role("link", name="Findings of it in toy").click()  # the rule is still looked at for this project
    expect(page.get_by_role("searchbox")).to_have_value("ART101")


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_hostile_findings_are_text_and_none_say_so(store, serve, page):
    told = Finding("ART999", HOSTILE, Severity.INFO, HOSTILE, {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, HOSTILE)
    keep_run(store, HOSTILE, findings=[told], project=HOSTILE)
    keep_run(store, "A", minute=1)
    address = serve()
    page.goto(f"{address}/findings?name=toy")
    expect(page.locator(".counted")).to_contain_text("Nothing was found wrong so far.")
    page.goto(f"{address}/findings?name={HOSTILE}&find={HOSTILE}")
    expect(page.locator("article")).to_contain_text(f"what to do{HOSTILE}")
    page.get_by_text("Its numbers").click()
    expect(page.locator("details")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert "pwned" not in page.title()
