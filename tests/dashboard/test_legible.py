"""Nothing from a store reads other than it is: what turns the order of letters, or is not seen, is spelled out."""

import pytest
from playwright.sync_api import expect

from art_training.records import Finding, Severity
from art_training.testing.history import keep_run, verdict

TURNED = "abc\u202edef\x1b[2K"
SPELLED = "abc\\u202edef\\u001b[2K"
SHOWN = """() => {
    const texts = [document.title, document.body.innerText];
    for (const one of document.querySelectorAll('body *')) {
        if (!['SCRIPT', 'STYLE'].includes(one.tagName)) texts.push(one.textContent);
        for (const { name, value } of one.attributes) if (name !== 'value') texts.push(value);
    }
    return texts.filter((text) => /[\\u202e\\u001b]/.test(text));
}"""


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_no_page_shows_what_turns_or_hides_what_is_read(store, serve, page):
    finding = Finding("ART101", TURNED, Severity.ERROR, TURNED, {TURNED: TURNED}, TURNED)
    runs = [
        keep_run(
            store,
            TURNED,
            project=TURNED,
            minute=minute,
            kind=kind,
            parameters={TURNED: f"{TURNED}{minute}", "lr": 0.1 * (minute + 1)},
            scores={f"validation/{TURNED}": 0.5 + minute / 10},
            curves={f"train/{TURNED}": [1.0, 0.5], f"validation/{TURNED}": [1.0, 0.6]},
            lines=[TURNED],
            findings=[finding],
            summary=TURNED,
            verdicts=[verdict(TURNED, "failed", TURNED)],
        )
        for minute, kind in enumerate(("ExploreData", "Tune", "Overfit"))
    ]
    address, name = serve(), "abc%E2%80%AEdef%1B%5B2K"
    compared = "&".join(f"run={run.id}" for run in runs)
    for path in (
        "/",
        f"/project?name={name}",
        f"/step?project={name}",
        f"/step?project={name}&group=parameter:{name}&where=parameter:{name}+present",
        f"/step?project={name}&look=points&x=parameter:{name}&color=parameter:{name}",
        f"/step?project={name}&look=lines&axis=parameter:{name}&axis=parameter:lr&color=score:validation/{name}",
        f"/run?id={runs[-1].id}",
        f"/compare?{compared}",
        f"/data?name={name}",
        f"/tune?name={name}",
        f"/findings?name={name}",
        f"/rules?name={name}",
    ):
        page.goto(f"{address}{path}")
        expect(page.locator("body"), path).to_contain_text(SPELLED)
        if "look=" in path or "/run" in path or "/compare" in path:
            expect(page.locator("canvas").first, path).to_be_visible()
        assert page.evaluate(SHOWN) == [], path
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.goto(f"{address}/project?name={name}")
    page.get_by_role("link", name=SPELLED).last.click()
    expect(page.locator("h1")).to_contain_text(SPELLED)  # an address still says what the store knows
    expect(page.locator(".notice")).to_be_hidden()
