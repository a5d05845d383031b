from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from art_training.testing.history import keep_run, verdict

pytestmark = pytest.mark.slow  # each starts a process and looks at it with a browser


@pytest.mark.parametrize("name", ["toy", "a & b=c é#"])
def test_it_opens_with_the_project_that_is_meant_and_the_others_are_one_click_away(store, serve, page, name):
    keep_run(store, "A", project=name, verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, project="other", verdicts=[verdict("b")])
    opened = urlsplit(serve("--project", name))
    assert (opened.path, parse_qs(opened.query)) == ("/project", {"name": [name]})
    page.goto("about:blank")
    page.goto(opened.geturl())
    expect(page.locator("h1")).to_have_text(name)
    page.get_by_role("link", name="Projects").click()
    listed = page.locator("ul.projects > li")
    expect(listed).to_have_count(2)
    page.get_by_role("link", name="other").click()
    expect(page.locator("h1")).to_have_text("other")
    for title in ("Projects", name):
        page.go_back()
        expect(page.locator("h1")).to_have_text(title)
    page.get_by_role("link", name="ART", exact=True).click()
    expect(listed).to_have_count(2)
