from pathlib import Path

import pytest
from playwright.sync_api import expect

from art_training.dashboard.pages.data import plots_of
from art_training.records import Finding, Outcome, Reading, RunStatus, Score, Severity
from art_training.testing.history import keep_run
from art_training.views.explored import NumbersTable

HOSTILE = '<img src=x onerror="document.title=`pwned`">{{7*7}}'
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200015ba35c510000000049454e44ae426082"
)


def explore(store, tmp_path: Path, minute: int, *, examples: float = 100.0, project: str = "toy", name: str = "cat"):
    """A run of ExploreData as the step leaves it."""
    picture = tmp_path / "examples.png"
    picture.write_bytes(PIXEL)
    kept = store.artifacts.put(picture, name="examples.png", kind="figure", note=f"of {name}")
    record = keep_run(store, "ExploreData", minute=minute, project=project, verdicts=None)
    finding = Finding("ART101", "data", Severity.ERROR, f"14 {name} are also in train", {name: 14}, f"remove {name}")
    counts = {"class": [name, "dog"], "train": [60, 40], "validation": [12, 8]}
    store.write(
        record,
        Outcome(
            scores={"train/examples": Score(examples), "train/classes": Score(2.0), "leaked_share": Score(0.14)},
            readings=(
                Reading("class counts", counts, "labels", name),
                Reading("near duplicates", [], note=f"of {name}"),
            ),
            findings=(finding,),
            artifacts=(kept,),
            summary=f"train {examples:g} examples",
        ),
    )
    return record


def test_pictures_are_drawn_of_what_they_show_better_than_numbers() -> None:
    counts = NumbersTable("class counts", ("class", "train", "validation"), ((0, 60, 12), (1, 40, None)))
    (plot,) = plots_of(counts)
    assert plot.x.labels == ("0", "1")
    assert [(one.name, [point.y for point in one.points]) for one in plot.series] == [
        ("train", [60.0, 40.0]),
        ("validation", [12.0]),
    ]
    drift = NumbersTable("validation features against train", ("axis", "distance"), (("a", 0.2), ("b", 0.1)))
    assert [point.told for point in plots_of(drift)[0].series[0].points] == [
        "distance, axis a: 0.2",
        "distance, axis b: 0.1",
    ]
    assert plots_of(NumbersTable("by split", ("what", "train"), (("examples", 3.0), ("classes", 2.0)))) == ()


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_what_was_found_in_the_data_is_shown_when_it_is_found(store, serve, page, tmp_path, violations):
    address = serve()
    keep_run(store, "Other")
    page.goto(f"{address}/data?name=toy")
    expect(page.locator("main")).to_contain_text("The data was not looked at yet.")
    first = explore(store, tmp_path, 1)
    expect(page.locator("main")).to_contain_text("train 100 examples")
    expect(page.locator("main")).to_contain_text("14 cat are also in train")
    expect(page.get_by_role("img", name="how often each of 2 classes occurs")).to_be_visible()
    expect(page.get_by_role("region", name="classes: class counts").locator("tbody tr").first).to_have_text("cat6012")
    expect(page.locator("main")).to_contain_text("near duplicates: none; of cat")
    picture = page.get_by_role("img", name="examples.png: of cat")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    assert violations(f"{address}/data?name=toy", "14 cat") == []
    page.get_by_role("link", name="duplicates and leaks").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#duplicates-and-leaks")).to_be_in_viewport()
    explore(store, tmp_path, 2, examples=90.0)
    expect(page.locator("main")).to_contain_text("train 90 examples")  # the newest, as the address asks for
    page.get_by_text("Other runs").click()
    page.get_by_role("link", name="2026-05-04").click()
    expect(page).to_have_url(f"{address}/data?name=toy&run={first.id}")
    expect(page.locator("main")).to_contain_text("train 100 examples")
    keep_run(store, "ExploreData", minute=3, status=RunStatus.RUNNING)
    expect(page.get_by_text("Other runs")).to_be_visible()
    page.get_by_role("link", name="the newest").click()
    expect(page.locator("main")).to_contain_text("It has left nothing yet")


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_who_chooses_among_other_runs_is_not_disturbed_by_a_new_one(store, serve, page, tmp_path):
    first, _ = explore(store, tmp_path, 1), explore(store, tmp_path, 2)
    page.goto(f"{serve()}/data?name=toy")
    page.get_by_text("Other runs").click()
    link = page.get_by_role("link", name=first.id[-6:])
    link.focus()
    explore(store, tmp_path, 3, examples=90.0)
    expect(page.locator("main")).to_contain_text("train 90 examples")
    expect(page.locator(".others li")).to_have_count(2)
    expect(link).to_be_visible()
    expect(link).to_be_focused()


@pytest.mark.slow  # starts a process and looks at it with a browser
def test_hostile_names_are_text_and_other_runs_are_none(store, serve, page, tmp_path):
    explore(store, tmp_path, 1, project=HOSTILE, name=HOSTILE)
    other = keep_run(store, "Other", minute=2, project=HOSTILE)
    address = serve()
    page.goto(f"{address}/data?name={HOSTILE}")
    expect(page.locator("main")).to_contain_text(f"14 {HOSTILE} are also in train")
    expect(page.locator("td").filter(has_text=HOSTILE).first).to_be_visible()
    assert page.locator("main img").count() == 1  # the picture of the run
    assert "pwned" not in page.title()
    page.goto(f"{address}/data?name={HOSTILE}&run={other.id}")
    expect(page.locator("main")).to_contain_text("is none of ExploreData's in this project")
