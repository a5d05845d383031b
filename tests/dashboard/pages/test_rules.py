import re

import pytest
from playwright.sync_api import expect

from art_training.dashboard.pages.rules import grouped, matching
from art_training.views.rulebook import rules_known

HOSTILE = '<img src=x onerror="document.title=`pwned`">{{7*7}}'


def test_every_word_must_be_there_wherever_it_stands() -> None:
    rows = rules_known()
    assert matching(rows, "") == rows
    assert "ART402" in [row.code for row in matching(rows, "Cross_Entropy softmax loss")]
    assert [row.code for row in matching(rows, "art402")] == ["ART402"]
    assert matching(rows, "softmax no-such-word") == ()


def test_what_steps_tell_stands_behind_the_categories() -> None:
    groups = grouped(rules_known())
    assert [name for name, _ in groups][-1] == ""
    assert sum(len(rows) for _, rows in groups) == len(rules_known())


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_rules_are_found_explained_and_sent(serve, page, violations):
    address = serve()  # without any store: what rules say is in none
    page.goto(f"{address}/rules")
    told = page.locator(".counted")
    expect(told).to_have_text(f"{len(rules_known())} rules of {len(rules_known())}")
    page.get_by_role("searchbox").fill("art402 softmax")
    expect(told).to_have_text(re.compile("^1 rule of"))
    expect(page).to_have_url(f"{address}/rules?find=art402+softmax")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("art402 softmax")
    expect(told).to_have_text(re.compile("^1 rule of"))
    page.get_by_role("link", name="ART402").click()
    expect(page.locator("h1")).to_have_text("ART402: softmax before a cross entropy")
    page.goto(f"{address}/rules?find={HOSTILE}&name={HOSTILE}")
    expect(told).to_contain_text("None of")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    assert "pwned" not in page.title()
    assert page.locator("main img").count() == 0
    assert violations(f"{address}/rules", "ART402") == []


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_the_keyboard_alone_finds_a_rule(serve, page):
    page.goto(f"{serve()}/rules")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("art510")
    expect(page.locator("main td a")).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Tab")  # the table, which scrolls
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(re.compile("^ART510:"))


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_a_narrow_screen_has_room_for_what_a_rule_finds(serve, page):
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{serve()}/rules?find=art402")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="ART402"))
    expect(row).to_be_visible()
    assert row.bounding_box()["height"] < 120
    cells = [one.bounding_box() for one in row.get_by_role("cell").all()]
    assert cells[1]["width"] > 250  # what it finds
    assert all(box["x"] + box["width"] <= 390 for box in cells)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
