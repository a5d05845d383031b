import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from art_training.records import (
    Finding,
    Judgement,
    Outcome,
    Provenance,
    RunStatus,
    Severity,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.stores import Point
from art_training.testing.history import keep_run, verdict

pytestmark = pytest.mark.slow  # each starts a process and looks at it with a browser

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)
HOSTILE = '<img src=x onerror="document.title=`pwned`"><script>document.title="pwned"</script>{{7*7}}${7*7}{a|b}'


def _points(store, run, begin, end):
    store.append(
        run,
        points=[
            Point(name, step, step // 10, 2.0 / (step + 1) + more)
            for name, more in (("train/loss", 0.0), ("validation/loss", 0.1))
            for step in range(begin, end)
        ],
        lines=[f"step {step}" for step in range(begin, end)],
    )


def _finished(store):
    limit = Verdict(
        "train/loss < 0.05",
        VerdictState.FAILED,
        "train/loss is 0.31, not < 0.05",
        {"value": 0.31, "rows": 360},
        {"check": "Below", "limit": 0.05},
    )
    finding = Finding(
        "ART301", "model", Severity.ERROR, "the model is bad", {"share": 0.4}, "mend it", "net.py:3", "a trial"
    )
    return keep_run(
        store,
        "Overfit",
        verdicts=[limit, verdict("finite")],
        scores={"train/loss": 0.31},
        curves={"train/loss": [2.0, 1.0, 0.31], "validation/loss": [2.0, 1.2, 0.9], "lr/0": [0.1, 0.1, 0.0]},
        findings=[finding],
        lines=["epoch 0", "epoch 1"],
        parameters={"hparams.lr": 0.01},
        provenance=Provenance(command=("art", "run"), git_commit="1f3a" * 10, versions={"torch": "2.13.0"}),
        summary="after 3 steps",
    )


def test_a_run_that_trains_is_followed_and_keeps_its_zoom_and_only_new_points_travel(store, serve, page):
    record = keep_run(store, "Overfit", status=RunStatus.RUNNING, heartbeat=datetime.now(UTC))
    run = record.id
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    address = serve()
    page.goto(f"{address}/run?id={run}")
    expect(page.locator("#learning-curves")).to_contain_text("No curve yet")
    _points(store, run, 0, 400)
    loss = page.locator("figure.curves")
    expect(loss).to_have_attribute("data-points", "800")
    expect(loss.get_by_role("button")).to_have_text(["train", "validation"])
    expect(page.locator("pre.log")).to_contain_text("step 399")

    page.get_by_label("from step").fill("100")
    page.get_by_label("from step").press("Tab")
    expect(loss).to_have_attribute("data-first", "100")
    expect(page).to_have_url(re.compile(r"from=100"))
    expect(loss).to_have_attribute("data-points", "602")  # a point before, so that the line goes on to the edge
    received.clear()
    _points(store, run, 400, 403)
    expect(loss).to_have_attribute("data-points", "608")
    expect(loss).to_have_attribute("data-first", "100")
    fed = [frame for frame in received if '\\"feed\\"' in frame or '"feed"' in frame]
    assert fed
    assert sum(map(len, fed)) < 2500

    page.reload()
    expect(loss).to_have_attribute("data-first", "100")
    expect(loss).to_have_attribute("data-points", "608")
    now = datetime.now(UTC)
    store.write(replace(record, status=RunStatus.COMPLETED, ended=now), Outcome(summary="it ended"))
    store.judge(run, Judgement((verdict("train/loss < 0.05", "failed"),), now, StepState.FAILED))
    expect(page.locator("#checks")).to_contain_text("train/loss < 0.05: failed")
    expect(page.locator("#content")).to_contain_text("it ended")
    expect(loss).to_have_attribute("data-first", "100")


def test_what_another_process_writes_is_seen_within_a_second(store, serve, page):
    """The soonest of a few: what shares the machine makes some of them wait."""
    run = keep_run(store, "Overfit", status=RunStatus.RUNNING, heartbeat=datetime.now(UTC), lines=["it begins"]).id
    page.goto(f"{serve()}/run?id={run}")
    expect(page.locator("pre.log")).to_contain_text("it begins")
    waited = []
    for number in range(5):
        page.wait_for_timeout(300)
        began = time.monotonic()
        _points(store, run, 10 * number, 10 * number + 10)
        page.wait_for_function(
            "(points) => document.querySelector('figure.curves')?.dataset.points === points", arg=str(20 * number + 20)
        )
        expect(page.locator("pre.log")).to_contain_text(f"step {10 * number + 9}")
        waited.append(time.monotonic() - began)
    assert min(waited) < 1


def test_a_log_follows_its_end_unless_one_reads(store, serve, page):
    run = keep_run(store, "Overfit", status=RunStatus.RUNNING).id
    store.append(run, lines=[f"line {number}" for number in range(1500)])
    page.goto(f"{serve()}/run?id={run}")
    log = page.locator("pre.log")
    expect(log).to_contain_text("line 1499")
    expect(log).to_contain_text("500 earlier lines")
    place = "box => Math.round(box.scrollHeight - box.scrollTop - box.clientHeight)"
    assert log.evaluate(place) < 5
    store.append(run, lines=[f"line {number}" for number in range(1500, 4000)])  # more at once than are shown
    expect(log).to_contain_text("line 3999")
    expect(log).to_contain_text("3000 earlier lines")
    expect(log).not_to_contain_text("line 2999")
    log.evaluate("box => { box.scrollTop = 0 }")
    expect(page.get_by_role("button", name="To the end")).to_be_visible()
    store.append(run, lines=["the newest"])
    expect(log).to_contain_text("the newest")
    assert log.evaluate(place) > 100
    page.get_by_role("button", name="To the end").click()
    store.append(run, lines=["after it"])
    expect(log).to_contain_text("after it")
    assert log.evaluate(place) < 5


def test_a_drag_chooses_the_steps_and_the_address_says_so(store, serve, page):
    run = keep_run(
        store, "Overfit", curves={"train/loss": [1 / (n + 1) for n in range(200)]}, verdicts=[verdict("a")]
    ).id
    page.goto(f"{serve()}/run?id={run}&log=1&smooth=0.9")
    loss = page.locator("figure.curves")
    expect(loss).to_have_attribute("data-log", "true")
    expect(loss).to_have_attribute("data-points", "200")
    expect(page.get_by_label("scale")).to_have_value("log")
    expect(page.get_by_label("smoothing")).to_have_value("0.9")
    box = loss.locator(".plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"log=1&smooth=0.9&from=\d+&to=\d+"))
    expect(page.get_by_label("from step")).to_have_value(re.compile(r"[6-9]\d"))
    expect(page.get_by_label("to step")).to_have_value(re.compile(r"1[0-3]\d"))
    page.get_by_role("button", name="all steps").click()
    expect(loss).to_have_attribute("data-points", "200")
    expect(page).not_to_have_url(re.compile(r"from="))


def test_evidence_stands_beside_its_limits_and_what_was_found_beside_its_remedy(store, serve, page):
    run = _finished(store).id
    page.goto(f"{serve()}/run?id={run}")
    failed = page.locator(".evidence > li").first
    expect(failed).to_contain_text("train/loss is 0.31, not < 0.05")
    expect(failed).to_contain_text("0.31, to be below 0.05")
    expect(failed.locator(".scale")).to_have_text("00.4")
    expect(failed.locator(".at")).to_have_attribute("style", re.compile(r"left: ?77\.5"))
    failed.locator("summary").click()
    expect(failed.locator("details")).to_contain_text("rows360")
    finding = page.locator("#findings")
    for text in ("the model is bad", "mend it", "net.py:3", "a trial"):
        expect(finding).to_contain_text(text)
    expect(finding.get_by_role("link", name="ART301")).to_have_attribute("href", re.compile(r"/rule\?code=ART301"))
    expect(page.locator("#made-with")).to_contain_text("1f3a1f3a")
    expect(page.locator("#parameters")).to_contain_text("hparams.lr")
    expect(page.locator("figure.curves")).to_have_count(2)
    page.get_by_text("In numbers").click()
    expect(page.get_by_role("table", name="Curves in numbers")).to_contain_text("validation/loss320.90.92")


def test_many_trainings_are_told_apart_and_can_be_left_out_and_each_layer_is_judged(store, serve, page, tmp_path):
    (tmp_path / "x").write_bytes(PNG)
    curves = {
        f"trial {trial}/{name}": [2.0, 1.0, 0.5 + trial]
        for trial in range(10)
        for name in ("train/loss", "train/loss_epoch", "validation/loss")
    }
    layers = {
        f"layers/{statistic}/layer{layer}": [1e-3, 1e-3, 2e-3]
        for statistic in ("grad_norm", "update_ratio")
        for layer in range(4)
    }
    run = keep_run(
        store,
        "Tune",
        curves=curves | layers | {"layers/grad_norm/head": [1e-9, 1e-9, 1e-9]},
        verdicts=[verdict("a")],
        artifacts=[store.artifacts.put(tmp_path / "x", name="worst.png", kind="figure", note="the worst")],
    ).id
    page.goto(f"{serve()}/run?id={run}")
    loss = page.locator("figure.curves").first
    expect(loss.get_by_role("button")).to_have_count(13)
    expect(loss.get_by_role("button", name="train of all")).to_have_attribute("aria-pressed", "false")
    loss.get_by_role("button", name="trial 3").click()
    expect(loss.get_by_role("button", name="trial 3")).to_have_attribute("aria-pressed", "false")
    loss.get_by_role("button", name="train of all").click()
    expect(page).to_have_url(re.compile(r"hide=trial\+3&also=train$"))
    page.reload()
    expect(loss.get_by_role("button", name="trial 3")).to_have_attribute("aria-pressed", "false")
    expect(loss.get_by_role("button", name="train of all")).to_have_attribute("aria-pressed", "true")
    expect(loss.get_by_role("button", name="train (epoch) of all")).to_have_attribute("aria-pressed", "true")
    first = page.locator("#health tbody tr").first
    expect(first).to_contain_text("head")
    expect(first).to_contain_text("watch")
    expect(page.locator("#health tbody tr")).to_have_count(5)
    expect(page.locator("#health tbody tr").last).to_contain_text("layer3✓good0.001 → 0.0020.001 → 0.002")
    left_out = "Layers were followed in 1 of 11 trainings. Nothing is known of those of trial 0; trial 1;"
    expect(page.locator("#health")).to_contain_text(left_out)
    expect(page.locator("#health")).to_contain_text("trial 7; and 2 more.")
    expect(loss.page.locator("figure.curves")).to_have_count(1)  # layers have the table, not a picture each
    picture = page.get_by_role("img", name="worst.png: the worst")
    expect(picture).to_be_visible()
    page.wait_for_function("image => image.naturalWidth === 1", arg=picture.element_handle())


def test_one_training_that_diverges_does_not_hide_the_others(store, serve, page):
    falls = [1.0, 0.5, 0.25, 0.0]
    curves = {"fast/train/loss": [5.0, 12_000.0, 9_000.0, 11_000.0], "slow/train/loss": falls, "slow/lr/0": falls}
    run = keep_run(store, "Regularize", curves=curves, verdicts=[verdict("a")]).id
    page.goto(f"{serve()}/run?id={run}")
    loss, rate = page.locator("figure.curves").all()
    expect(loss).to_have_attribute("data-log", "true")
    expect(loss).to_contain_text("log scale: the values span more than three decades; 1 not above 0 left out")
    expect(rate).to_have_attribute("data-log", "false")
    page.get_by_label("scale").select_option("linear")
    expect(loss).to_have_attribute("data-log", "false")
    expect(loss).not_to_contain_text("log scale")
    expect(page).to_have_url(re.compile("log=0"))


def test_hostile_names_logs_numbers_and_files_are_text(store, serve, page, tmp_path):
    (tmp_path / "x").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    left = store.artifacts.put(tmp_path / "x", name=f"{HOSTILE}.svg", note=HOSTILE)
    finding = Finding(
        HOSTILE, HOSTILE, Severity.INFO, HOSTILE, {HOSTILE: HOSTILE, ":x": "alert(1)"}, HOSTILE, HOSTILE, HOSTILE
    )
    run = keep_run(
        store,
        HOSTILE,
        project=HOSTILE,
        verdicts=[Verdict(HOSTILE, VerdictState.FAILED, HOSTILE, {HOSTILE: HOSTILE}, {":check": HOSTILE})],
        curves={
            f"train/{HOSTILE}": [1.0, float("nan"), float("inf")],
            f"{HOSTILE}/train/loss": [1.0, 2.0],
            ":formatter": [1.0],
        },
        lines=[HOSTILE, "</pre><script>1</script>"],
        findings=[finding],
        artifacts=[left],
        parameters={HOSTILE: HOSTILE, ":x": "alert(1)"},
        summary=HOSTILE,
        error=HOSTILE,
        traceback=HOSTILE,
    ).id
    page.goto(f"{serve()}/run?id={run}&from={HOSTILE}")
    expect(page.locator("pre.log").last).to_contain_text(HOSTILE)
    expect(page.locator("figure.curves")).to_have_count(3)
    expect(page.locator("figure.curves").first).to_have_attribute("data-points", re.compile(r"\d"))
    page.locator("figure.curves .plot").first.hover()
    expect(page.locator("h1")).to_contain_text(HOSTILE)
    assert "pwned" not in page.title().replace(HOSTILE, "")
    assert page.locator("main img, main script").count() == 0
    assert "49" not in page.locator("main").inner_text().replace(run, "")


def test_a_run_that_there_is_not_and_one_that_broke_say_what_to_do(store, serve, page):
    broken = keep_run(
        store, "A", status=RunStatus.ERRORED, error="RuntimeError: shapes", traceback="line 3", verdicts=None
    ).id
    address = serve()
    page.goto(f"{address}/run?id=none")
    expect(page.locator(".notice")).to_contain_text("there is no run 'none' in this store")
    expect(page.locator("main section:visible")).to_have_count(0)
    page.goto(f"{address}/run?id={broken}")
    expect(page.locator("#what-it-raised")).to_contain_text("RuntimeError: shapes")
    expect(page.locator("#checks")).to_be_hidden()


def test_everybody_can_use_it(store, serve, browser):
    run = _finished(store).id
    live = keep_run(store, "Live", minute=5, status=RunStatus.RUNNING, heartbeat=datetime.now(UTC)).id
    _points(store, live, 0, 30)
    address = serve()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        for one in (run, live):
            page.goto(f"{address}/run?id={one}")
            expect(page.locator("figure.curves").first).to_have_attribute("data-points", re.compile(r"[1-9]"))
            expect(page.locator("pre.log").last).to_contain_text(re.compile("epoch 1|step 29"))
            for summary in page.locator("details > summary").all():
                summary.click()
            found = Axe().run(page).response["violations"]
            assert not [(item["id"], [node["target"] for node in item["nodes"]]) for item in found], json.dumps(scheme)
        context.close()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/run?id={run}")
    train = page.get_by_role("button", name="train", exact=True).first
    train.focus()
    page.keyboard.press("Enter")
    expect(train).to_have_attribute("aria-pressed", "false")
    expect(
        page.get_by_role("img", name=re.compile("loss over optimiser steps: train ends at 0.31 after step 2"))
    ).to_be_visible()
    context.close()
