import pytest
from playwright.sync_api import expect

from art_training.rules import rule_called

HOSTILE = '<img src=x onerror="document.title=`pwned`">{{7*7}}'

pytestmark = pytest.mark.slow  # starts a process and looks at it with a browser


def test_a_rule_says_what_art_explain_says_of_it(serve, page, violations):
    address = serve()
    for spelled in ("ART510", "510", "art510"):
        page.goto(f"{address}/rule?code={spelled}")
        expect(page.locator("h1")).to_have_text("ART510: parameters that train are in no optimiser")
    rule = rule_called("ART510")
    assert rule is not None
    for said in (rule.finds, rule.why, rule.wrong, rule.right, rule.source, *rule.settles):
        expect(page.locator("main")).to_contain_text(said)
    expect(page.locator("main")).to_contain_text("--ignore ART510='the reason'")
    assert violations(f"{address}/rule?code=ART510", "It finds") == []
    page.get_by_role("link", name="ART511").click()  # which may explain it
    expect(page.locator("main")).to_contain_text("Told beneath it")
    page.goto(f"{address}/rule?code=ART101")  # of a step: no rule of a diagnosis
    expect(page.locator("main")).to_contain_text("It is told by ExploreData")
    page.goto(f"{address}/rule?code={HOSTILE}")
    expect(page.locator("main")).to_contain_text("There is no such code.")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    assert page.locator("main img").count() == 0
    page.get_by_role("link", name="Look for it").click()
    expect(page.get_by_role("searchbox")).to_have_value(HOSTILE)
