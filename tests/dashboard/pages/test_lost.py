"""Addresses that are none."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow  # starts a process and looks at it with a browser


def test_an_address_that_is_cut_off_or_of_no_page_says_so_and_leads_back(serve, page, violations):
    address = serve()
    for path, said in (
        ("/run", "it does not say, or not rightly, its id."),
        ("/rule", "it does not say, or not rightly, its code."),
        ("/runs/<b>1</b>", "There is no page /runs/<b>1</b>."),
    ):
        answer = page.goto(f"{address}{path}")
        assert answer.status == 404
        expect(page.locator("main")).to_contain_text(said)
    page.get_by_role("link", name="the projects").click()
    expect(page.locator("h1")).to_have_text("Projects")
    assert violations(f"{address}/run", "No such page") == []
    assert page.request.get(f"{address}/static/none.css").status == 404
