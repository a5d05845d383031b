import math
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from art_training.records import RunStatus
from art_training.records.plan import Action, Plan, PlannedStep
from art_training.stores.planned import keep_plan
from art_training.testing.history import keep_run, verdict

pytestmark = pytest.mark.slow  # each starts a process and looks at it with a browser

HOSTILE = '<img src=x onerror="document.title=`pwned`"><script>document.title="pwned"</script>{{7*7}}${7*7}'


def keep_search(store, runs=60, project="toy"):
    """Runs of one step that differ in their rate and optimiser; every tenth failed."""
    for number in range(runs):
        keep_run(
            store,
            "Overfit",
            minute=number,
            project=project,
            seconds=10.0 + number,
            parameters={
                "hparams.lr": 10.0 ** -(number % 5),
                "hparams.opt": ("sgd", "adam")[number % 2],
                "model": "Net",
            },
            scores={"validation/accuracy": 0.5 + number / 200, "train/loss": 1 - number / 200},
            verdicts=[verdict("good", "passed" if number % 10 else "failed")],
        )


def rows(page):
    return page.get_by_role("table", name="Runs", exact=True).locator("tbody tr")


def test_runs_are_sorted_filtered_grouped_and_paged_and_the_address_says_so(store, serve, page):
    keep_search(store)
    address = serve()
    page.goto(f"{address}/step?project=toy&step=Overfit")
    expect(rows(page)).to_have_count(50)
    expect(rows(page).first).to_contain_text("0.795")  # the newest first
    page.get_by_role("button", name="Page after").click()
    expect(rows(page)).to_have_count(10)
    expect(page).to_have_url(re.compile("page=2"))
    page.get_by_role("button", name="validation/accuracy").click()
    expect(page.get_by_role("columnheader", name="validation/accuracy")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="validation/accuracy").click()
    expect(rows(page).first).to_contain_text("0.5")
    expect(page).to_have_url(re.compile("sort=score%3Avalidation%2Faccuracy&up=yes$"))
    page.get_by_role("group", name="Only runs that stand so").get_by_role("button", name="failed").click()
    expect(rows(page)).to_have_count(6)
    page.get_by_label("only where").select_option("parameter:hparams.opt")
    page.get_by_role("textbox", name="value").fill("adam")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("No run is like this.")).to_be_visible()
    page.get_by_role("button", name="no longer only hparams.opt = adam").click()
    expect(rows(page)).to_have_count(6)
    page.get_by_label("group by").select_option("parameter:hparams.lr")
    groups = page.get_by_role("table", name="Runs counted by value").locator("tbody tr")
    expect(groups).to_have_count(1)
    groups.get_by_role("button", name="1").click()
    expect(page.get_by_role("button", name="no longer only hparams.lr = 1.0")).to_be_visible()
    shown = page.url
    page.goto("about:blank")
    page.goto(shown)
    expect(rows(page)).to_have_count(6)
    expect(page.get_by_role("button", name="no longer only hparams.lr = 1.0")).to_be_visible()
    expect(page.get_by_role("button", name="failed")).to_have_attribute("aria-pressed", "true")


def test_it_is_searched_while_one_types_and_columns_are_chosen(store, serve, page):
    keep_search(store, 12)
    page.goto(f"{serve()}/step?name=toy")
    expect(rows(page)).to_have_count(12)
    page.get_by_label("search").press_sequentially("adam", delay=30)
    expect(rows(page)).to_have_count(6)
    expect(page.get_by_label("search")).to_be_focused()
    keep_run(store, "Other", minute=90, parameters={"hparams.opt": "adamw"})  # another process writes
    expect(rows(page)).to_have_count(7)
    expect(page.get_by_label("search")).to_have_value("adam")
    controls = page.locator(".sieve select, .sieve .field.short, .sieve button:text('Add'), .sieve summary").all()
    assert len({(round(box["y"]), round(box["height"])) for one in controls if (box := one.bounding_box())}) == 1
    page.get_by_text("Columns (").click()
    page.get_by_role("checkbox", name="hparams.lr").uncheck()
    expect(page.get_by_role("columnheader", name="hparams.lr")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"search=adam.*column="))


def test_the_way_back_leads_through_what_was_shown_and_not_through_letters(store, serve, page):
    keep_search(store, 60)
    address = serve()
    page.goto(f"{address}/")
    page.goto(f"{address}/step?project=toy")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="Page after").click()
    expect(rows(page)).to_have_count(10)
    page.get_by_label("search").press_sequentially("adam", delay=30)
    expect(rows(page)).to_have_count(30)
    page.get_by_role("button", name="Points").click()
    expect(page.locator(".plot")).to_have_attribute("data-drawn", "points 30")
    page.evaluate("window.same = true; location.hash = '#content'")  # a place within the page
    page.go_back()
    expect(page).to_have_url(re.compile("look=points"))
    assert page.evaluate("window.same")
    page.go_back()
    expect(rows(page)).to_have_count(30)
    expect(page.get_by_label("search")).to_have_value("adam")
    expect(page.get_by_role("button", name="Table")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(rows(page)).to_have_count(50)
    expect(page.get_by_label("search")).to_have_value("")
    page.go_forward()
    expect(rows(page)).to_have_count(30)
    page.go_back()
    expect(rows(page)).to_have_count(50)
    page.go_back()
    expect(page.locator("h1")).to_have_text("Projects")


def test_two_to_ten_runs_that_are_ticked_are_compared(store, serve, page):
    keep_search(store, 12)
    page.goto(f"{serve()}/step?project=toy&step=Overfit")
    boxes = page.get_by_role("table", name="Runs", exact=True).get_by_role("checkbox")
    before = [(box["y"], box["height"]) for box in (rows(page).nth(at).bounding_box() for at in (0, 1))]
    boxes.nth(0).check()
    expect(page.get_by_text("1 run ticked; 2 to 10 can be compared.")).to_be_visible()
    expect(rows(page).nth(0)).to_have_class("picked")
    assert [(box["y"], box["height"]) for box in (rows(page).nth(at).bounding_box() for at in (0, 1))] == before
    boxes.nth(3).check()
    first, second = (rows(page).nth(at).get_by_role("link").get_attribute("href") for at in (0, 3))
    compare = page.get_by_role("link", name="Compare 2 runs")
    ids = [one.partition("=")[2] for one in (first, second)]
    expect(compare).to_have_attribute("href", f"/compare?run={ids[0]}&run={ids[1]}")
    for at in (1, 2, *range(4, 11)):
        boxes.nth(at).check()
    expect(page.get_by_text("11 runs ticked; 2 to 10 can be compared.")).to_be_visible()
    page.get_by_role("button", name="Untick all").click()
    expect(boxes.nth(0)).not_to_be_checked()


def test_runs_are_drawn_as_points_and_as_lines_and_one_is_ticked_by_a_click(store, serve, page):
    keep_search(store, 20)
    keep_run(store, "Overfit", minute=90, parameters={"hparams.opt": "adam"})  # without a score
    page.goto(f"{serve()}/step?project=toy&step=Overfit&look=points&y=score:validation/accuracy")
    picture = page.get_by_role("img", name=re.compile("20 runs: hparams.lr from 0.0001 to 1, validation.accuracy"))
    expect(picture).to_have_attribute("data-drawn", "points 20")
    marks = [one.get_attribute("d") for one in page.get_by_role("list", name="Legend").locator("path").all()]
    assert len({*marks}) == len(marks) == 2  # passed and failed, each as it is drawn
    expect(page.get_by_text("20 of 21 runs; a click ticks one; 1 have no value here")).to_be_visible()
    keep_run(store, "Overfit", minute=95, parameters={"hparams.lr": 0.1}, scores={"validation/accuracy": 0.9})
    expect(page.locator(".plot")).to_have_attribute("data-drawn", "points 21")
    page.get_by_label("across").select_option("seconds")
    expect(page).to_have_url(re.compile("look=points&x=seconds"))
    page.get_by_label("search").fill("sgd")
    expect(page.locator(".plot")).to_have_attribute("data-drawn", "points 10")
    page.get_by_role("button", name="Lines").click()
    expect(page.locator(".plot")).to_have_attribute("data-drawn", "lines 10")
    page.get_by_label("colour").select_option("state")
    expect(page.get_by_role("list", name="Legend")).to_contain_text("failed")
    page.goto(page.url.replace("look=lines", "look=points") + "&where=seconds+%3E+27")
    expect(page.locator(".plot")).to_have_attribute("data-drawn", "points 1")
    box = page.locator(".plot").bounding_box()
    page.mouse.click(*_middle_of_the_dot(page, box))
    expect(page.get_by_text("1 run ticked")).to_be_visible()


def _middle_of_the_dot(page, box):
    """Where the only dot of the picture is: the only place in its colour."""
    place = page.evaluate(
        """() => {
            const canvas = document.querySelector('.plot canvas'), size = [canvas.width, canvas.height];
            const data = canvas.getContext('2d').getImageData(0, 0, ...size).data, seen = [];
            for (let at = 0; at < data.length; at += 4) {
                const [red, green, blue] = data.slice(at, at + 3);
                if (data[at + 3] > 100 && green > red + 60 && green > blue + 40) seen.push(at / 4);
            }
            const middle = seen[Math.floor(seen.length / 2)], scale = size[0] / canvas.clientWidth;
            return [(middle % size[0]) / scale, Math.floor(middle / size[0]) / scale];
        }"""
    )
    return box["x"] + place[0], box["y"] + place[1]


def test_hostile_names_values_and_addresses_are_text(store, serve, page):
    keep_run(store, HOSTILE, project=HOSTILE, parameters={f":{HOSTILE}": HOSTILE, "a": 1}, scores={HOSTILE: 0.5})
    keep_run(store, HOSTILE, project=HOSTILE, minute=1, parameters={f":{HOSTILE}": "b", "a": HOSTILE})
    address = serve()
    page.goto(f"{address}/")
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("link", name=HOSTILE).last.click()
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.get_by_role("columnheader", name=HOSTILE).first).to_be_visible()
    page.get_by_label("group by").select_option(index=5)
    expect(page.get_by_role("table", name="Runs counted by value").locator("tbody tr")).to_have_count(2)
    assert page.locator("main img, main script").count() == 0
    page.goto(f"{address}/step?project=toy&sort=%3Cscript%3E&where=nonsense&page=-1")
    expect(page.locator(".notice")).to_contain_text("This cannot be shown:")
    assert "pwned" not in page.title().replace(HOSTILE, "")


def test_a_step_says_what_it_asks_where_it_stands_and_what_it_waits_for(store, serve, page):
    keep_run(store, "A", kind="Overfit", verdicts=[verdict("a", "failed")])
    steps = tuple(PlannedStep(name, kind, Action.RUN, "new") for name, kind in (("A", "Overfit"), ("B", "Tune")))
    keep_plan(store, Plan("toy", steps))
    address = serve()
    page.goto(f"{address}/step?project=toy&step=A")
    expect(page.get_by_text("Is the model large enough to fit the training data")).to_be_visible()
    expect(page.locator(".badges")).to_contain_text("failed")
    page.goto(f"{address}/step?project=toy&step=B")
    expect(page.get_by_text("Which settings are best")).to_be_visible()
    expect(page.get_by_text("No run of B is kept yet. It waits for A: that one comes first.")).to_be_visible()


def test_a_step_without_runs_says_what_to_do(store, serve, page):
    keep_run(store, "A")
    page.goto(f"{serve()}/step?project=toy&step=B")
    expect(page.get_by_text("No run of B is kept yet. Type `art run`")).to_be_visible()
    keep_run(store, "B", minute=5, status=RunStatus.ERRORED)
    expect(rows(page)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(store, serve, browser, scheme):
    keep_search(store, 60)
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{serve()}/step?name=toy&group=state&where=seconds+>+1&run=a")
    expect(rows(page)).to_have_count(50)
    page.get_by_text("Columns (").click()
    page.get_by_role("group", name="Only runs that stand so").get_by_role("button", name="passed").click()
    expect(rows(page)).to_have_count(50)
    assert not _violations(page)
    for look in ("Points", "Lines"):
        page.get_by_role("button", name=look).click()
        expect(page.locator(".plot")).to_have_attribute("data-drawn", re.compile(f"{look.lower()} "))
        assert not _violations(page)
    page.get_by_label("group by").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Conditions").locator("li")).to_have_count(2)
    context.close()


def _violations(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]


def test_a_line_passes_the_foot_of_an_axis_on_which_its_run_has_no_value(store, serve, page):
    keep_run(store, "A", parameters={"opt": "adam", "lr": 0.1}, scores={"accuracy": 0.5}, verdicts=[verdict("good")])
    keep_run(
        store, "A", minute=1, parameters={"lr": 0.3}, scores={"accuracy": 0.9}, verdicts=[verdict("good", "failed")]
    )
    keep_run(store, "A", minute=2, parameters={"opt": "adam"}, scores={"accuracy": 0.7}, status=RunStatus.ERRORED)
    keep_run(
        store,
        "A",
        minute=3,
        parameters={"opt": "adam", "lr": 0.2},
        scores={"accuracy": math.nan},
        verdicts=[verdict("good")],
    )
    axes = "&axis=parameter:opt&axis=parameter:lr&axis=score:accuracy"
    page.goto(f"{serve()}/step?project=toy&step=A&look=lines&color=state{axes}")
    plot = page.locator(".plot")
    expect(plot).to_have_attribute("data-drawn", "lines 4")
    expect(page.get_by_text("2 have no value on some axis, and pass it at its foot")).to_be_visible()
    width, height = page.evaluate(
        "() => { const one = document.querySelector('.plot canvas'); return [one.clientWidth, one.clientHeight]; }"
    )
    foot = height - 24
    red, green = (_heights(page, 66, one) for one in ("red", "green"))  # beside the first axis
    assert max(red) > max(green) + 40  # the run without an optimiser does not pass at that of the others
    middle = round((60 + width - 90) / 2)
    assert max(_heights(page, middle + 6, "red")) > foot - 12  # the run that errored has no rate
    assert max(_heights(page, width - 90 - 6, "green")) > foot - 12  # what is not finite has no place, either


def _heights(page, x, colour):
    """Where the picture has a line of a colour at a distance from its left edge, from above."""
    return page.evaluate(
        """([x, colour]) => {
            const canvas = document.querySelector('.plot canvas'), scale = canvas.width / canvas.clientWidth;
            const data = canvas.getContext('2d').getImageData(Math.round(x * scale), 0, 1, canvas.height).data, seen = [];
            for (let at = 0; at < data.length; at += 4) {
                const [red, green, blue, seen_] = data.slice(at, at + 4);
                const is = colour === 'red' ? red > green + 50 && red > blue + 50 : green > red + 30 && green > blue + 30;
                if (seen_ > 60 && is) seen.push(at / 4 / scale);
            }
            return seen;
        }""",
        [x, colour],
    )
