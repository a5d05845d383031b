"""A report as a whole: what it says, in which order, and that nothing of a store can harm its reader."""

import math
import re
import shlex
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from art_training.records import (
    Action,
    Candidate,
    Change,
    Finding,
    Interval,
    Plan,
    PlannedStep,
    Provenance,
    RunStatus,
    Score,
    Severity,
)
from art_training.report import as_html, report_of
from art_training.testing.history import keep_run, verdict
from art_training.views.account import account_of

SCRIPT = "<script>alert(1)</script>"
TURNED = "abc\u202edef"
HOSTILE = [
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "[a](javascript:alert(1))",
    "![a](http://evil.example/x.png)",
    "`<script>`",
    "| a | b |\n---\n# no heading",
    "]]></style></title><script>alert(1)</script>",
    TURNED,
    "\x00\x1b[31m\ud800",
    "n" * 5000,
    "https://evil.example/",
]


def test_the_sections_stand_in_the_order_in_which_a_reviewer_reads(page, toy):
    titles = [title for level, title in page(toy).headings if level == 2]
    assert titles == [
        "Verdict",
        "What happened, step by step",
        "Data",
        "Baselines",
        "The winning set-up, and why",
        "Findings, and how they were settled",
        "Final test",
        "How to reproduce it",
        "Limits",
    ]


def test_headings_skip_no_level_and_begin_with_one(page, toy):
    levels = [level for level, _ in page(toy).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(page, toy):
    read = page(toy)
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in read.tags}
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/")), (tag, attributes)
    assert "url(" not in read.source.lower()
    (policy,) = [one["content"] for one in read.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_tables_name_their_columns_and_rows_and_pictures_say_what_they_show(page, toy):
    read = page(toy)
    assert read.all("table")
    assert all(one["scope"] in {"col", "row"} for one in read.all("th"))
    assert all(one["aria-label"] and one["role"] == "img" for one in read.all("svg"))
    assert all(one["alt"] for one in read.all("img"))
    ids = [attributes["id"] for _, attributes in read.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {one["href"][1:] for one in read.all("a")} <= set(ids)


def test_what_was_tried_before_is_told_with_why_it_failed_and_what_was_changed(markdown, toy):
    told = markdown(toy)
    assert "Earlier runs of this step" in told
    row = next(line for line in told.splitlines() if "✗ failed" in line)
    assert "train/loss is 0.69" in row
    assert "hparams.lr: 0.1 -> 0.001" in row


def test_how_to_reproduce_holds_commit_patch_versions_and_seeds(markdown, toy):
    told = markdown(toy).partition("## How to reproduce it")[2]
    assert "git checkout " + "1f3a" * 10 in told
    assert "diff --git a/toy/net.py b/toy/net.py" in told
    assert "torch==2.13.0" in told
    assert "art run" in told
    assert "not all steps ran with the versions below" in told.lower()


def test_what_was_typed_is_told_to_the_letter(markdown, store):
    typed = ("python", "-m", "art_training", "run", "--set", "hparams.name='two words'")
    keep_run(store, "Overfit", provenance=Provenance(command=typed))
    keep_run(store, "Tune", minute=1, provenance=Provenance(command=("python", "train.py")))
    told = markdown(store).partition("What was typed")[2]
    (line,) = [line for line in told.splitlines() if "art_training" in line]
    assert tuple(shlex.split(line)) == typed
    assert "\npython train.py\n" in told


@pytest.mark.parametrize(
    ("commit", "diff", "said"),
    [
        ("", "", "the code lay in no git repository"),
        ("", "untracked files:\n  .art/\n  art-report.html\n  art_project.py\n", "git did not follow art_project.py"),
        ("", "untracked files:\n  .art/\n  art-report.html\n", "the git repository had no commit"),
        ("1f3a", "untracked files:\n  notes.txt\n", ""),
        ("1f3a", "diff --git a/a.py b/a.py\n-x\n+y\nuntracked files:\n  net.py\n", "git did not follow net.py"),
    ],
)
def test_a_report_that_does_not_hold_the_code_says_so_and_offers_no_patch_that_is_none(
    markdown, store, commit, diff, said
):
    keep_run(store, "Overfit", provenance=Provenance(git_commit=commit, git_diff=diff), verdicts=[verdict("x")])
    told = markdown(store).partition("## How to reproduce it")[2].partition("## Limits")[0]
    assert ("This report alone does not make it again" in told) == bool(said)
    assert said in told
    assert ("git apply" in told) == ("diff --git" in diff)
    fenced = "".join(told.split("```diff")[1:])
    assert "untracked" not in fenced
    assert ".art/" not in told


@pytest.mark.parametrize(
    ("ended", "word"),
    [
        (
            {"status": RunStatus.COMPLETED, "verdicts": [verdict("a > 1", "failed", "a is 0, > 1")], "error": ""},
            "failed",
        ),
        (
            {"status": RunStatus.COMPLETED, "verdicts": [verdict("a > 1", "errored", "no metric a")], "error": ""},
            "errored",
        ),
        (
            {"status": RunStatus.COMPLETED, "verdicts": [verdict("a > 1", "not judged", "no interval")], "error": ""},
            "not judged",
        ),
        ({"status": RunStatus.COMPLETED, "verdicts": [], "error": ""}, "unchecked"),
        ({"status": RunStatus.COMPLETED, "verdicts": None, "error": ""}, "not judged"),
        ({"status": RunStatus.ERRORED, "verdicts": None, "error": "ValueError: no"}, "errored"),
        ({"status": RunStatus.INTERRUPTED, "verdicts": None, "error": ""}, "interrupted"),
        ({"status": RunStatus.KILLED, "verdicts": None, "error": ""}, "interrupted"),
        ({"status": RunStatus.RUNNING, "verdicts": None, "error": ""}, "interrupted"),  # its process is long dead
    ],
)
def test_a_step_that_did_not_pass_never_looks_passed(page, store, ended, word):
    keep_run(store, "Overfit", **ended, scores={"validation/accuracy": 0.9})
    read = page(store)
    assert "0 of 1 step passed" in read.text
    assert f"1. Overfit {word}" in re.sub(r"[^\w.]+", " ", read.text)
    head = read.source[read.source.index("<header") : read.source.index("</header>")]
    assert "look-good" not in head
    assert "badge good" not in head
    heading = read.source[read.source.index("<h3>1. Overfit") :]
    assert "badge good" not in heading[: heading.index("</h3>")]


def test_a_stale_step_says_that_it_is_stale_and_why(page, toy):
    newest = toy.latest("toy")
    changed = (Change("hparams.lr", 0.001, 0.01),)
    steps = [
        PlannedStep(step, step, Action.RECALL, "", run=newest[step].id)
        for step in ("ExploreData", "EvaluateBaseline", "CheckLossOnInit")
    ]
    stale = PlannedStep("Overfit", "Overfit", Action.RUN, "hparams.lr: 0.001 -> 0.01", changed, newest["Overfit"].id)
    read = page(toy, plan=Plan("toy", (*steps, stale), {"Tune": "a space"}))
    assert "3 of 4 steps passed: Overfit passed, but is stale (hparams.lr: 0.001 -> 0.01)." in read.text
    assert "stale, passed before" in read.text
    assert "Left out: Tune, which needs a space." in read.text
    assert "is not known" not in read.text


def test_a_failure_is_told_before_an_earlier_step_that_is_stale_and_before_what_changed(page, markdown, store):
    keep_run(store, "Diagnose", minute=1, verdicts=[verdict("healthy")])
    keep_run(store, "Overfit", minute=2, verdicts=[verdict("a > 1", "failed", "a is 0.96, not above linear's 0.98")])
    newest = store.latest("toy")
    changes = (Change("hparams.lr", 0.001, 0.01),)
    stale = PlannedStep("Diagnose", "Diagnose", Action.RUN, "hparams.lr: 0.001 -> 0.01", changes, newest["Diagnose"].id)
    failed = PlannedStep(
        "Overfit", "Overfit", Action.RECALL, "nothing changed since it failed", run=newest["Overfit"].id
    )
    plan = Plan("toy", (stale, failed))
    told = page(store, plan=plan).text
    assert (
        "0 of 2 steps passed: Overfit failed, because a is 0.96, not above linear's 0.98; "
        "Diagnose passed, but is stale (hparams.lr: 0.001 -> 0.01)."
    ) in told
    row = next(line for line in markdown(store, plan=plan).splitlines() if line.startswith("| Overfit"))
    assert row.index("not above linear's 0.98") < row.index("nothing changed since it failed")


def test_what_waits_shows_nothing_of_what_it_reached_before(markdown, store):
    keep_run(store, "Overfit", minute=1, scores={"validation/accuracy": 0.77}, verdicts=[verdict("x")])
    keep_run(store, "Tune", minute=2, scores={"validation/accuracy": 0.99}, verdicts=[verdict("x")])
    keep_run(store, "Overfit", minute=3, scores={"validation/accuracy": 0.11}, verdicts=[verdict("x", "failed")])
    told = markdown(store)
    assert "Tune" in told
    assert "0.99" not in told
    assert "waits for Overfit" in told


def test_findings_are_told_with_how_they_were_settled(markdown, store):
    found = Finding("ART101", "split", Severity.ERROR, "12 rows are shared", {}, "split by group", "train[3]")
    kept = Finding("ART104", "labels", Severity.WARNING, "class 3 is rare", {}, "collect more")
    keep_run(store, "ExploreData", minute=1, findings=[found, kept], verdicts=[verdict("x", "failed")])
    keep_run(store, "ExploreData", minute=2, findings=[kept], verdicts=[verdict("x")])
    told = markdown(store).partition("## Findings")[2].partition("\n## ")[0]
    before, _, after = told.partition("Settled findings")
    assert "ART104" in before
    assert "collect more" in before
    assert "ART101" in after
    assert "no longer found" in after


def test_the_final_test_is_told_with_interval_and_number_of_uses(markdown, store):
    score = Score(0.95, Interval(0.93, 0.97), 400, "maximize")
    for minute in (1, 2):
        keep_run(store, "FinalTest", minute=minute, scores={"test/accuracy": score}, verdicts=[verdict("x")])
    told = markdown(store)
    final = told.partition("## Final test")[2]
    assert "test/accuracy is 0.95 [0.93, 0.97] on 400 test examples." in final
    assert "used 2 times" in final
    assert "each use after the first" in told.partition("## Limits")[2]


def test_a_final_test_may_call_its_scores_anything(markdown, store):
    scores = {"recall/class 7": 0.31, "test/accuracy": Score(0.95, Interval(0.93, 0.97), 400, "maximize")}
    keep_run(store, "FinalTest", scores=scores | {"test/class_recall.a": 0.5}, verdicts=[verdict("x")])
    final = markdown(store).partition("## Final test")[2]
    assert "recall/class 7" in final
    assert "Each class on the test split" in final
    keep_run(
        store, "FinalTest", minute=1, scores={"recall/class 7": 0.31}, verdicts=[verdict("recall/class 7 beats x")]
    )
    assert "0.31" in markdown(store).partition("## Final test")[2]


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(one[:24]) for one in HOSTILE])
def test_nothing_out_of_a_store_is_markup(page, markdown, store, text):
    plain = text.encode("utf-8", "replace").decode()  # a store keeps no lone surrogate
    fault = Finding("ART101", plain, Severity.ERROR, plain, {plain: plain}, plain, plain, plain)
    keep_run(
        store,
        plain,
        project=plain,
        kind="Regularize",
        scores={plain: Score(0.5, note=plain)},
        candidates=[Candidate(plain, {plain: Score(math.nan)}, {plain: plain}, plain)],
        findings=[fault],
        curves={f"{plain}/train/loss": [1.0, math.nan, math.inf, 0.1], "train/loss": [2.0, 1.0]},
        lines=[plain],
        verdicts=[verdict(plain, "failed", plain)],
        parameters={plain: plain},
        provenance=Provenance(
            (plain,), plain, plain, plain, {plain: plain}, {plain: plain}, plain, True, plain, plain, plain
        ),
        error=plain,
        summary=plain,
        status=RunStatus.COMPLETED,
    )
    clean = {tag for tag, _ in page(store, project=plain).tags}
    assert not {"script", "iframe", "object"} & clean
    read = page(store, project=plain)
    assert all(set(one) <= {"src", "width", "height", "alt"} for one in read.all("img"))
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert not re.search("[\u202a-\u202e\x00-\x08\x1b\ud800-\udfff]", read.source)
    told = markdown(store, project=plain)
    tokens = MarkdownIt("commonmark").enable("table").parse(told)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {one.content for one in (*tokens, *inline) if one.type in {"html_inline", "html_block"}}
    assert kinds <= {"<br>"}
    assert not [one for one in inline if one.type in {"link_open", "image"}]
    assert {one.tag for one in tokens if one.type == "heading_open"} <= {"h1", "h2", "h3"}
    assert not re.search("[\u202a-\u202e\x00-\x08\x1b]", told)


def test_the_time_and_the_version_of_the_report_are_told(store, toy):
    made = datetime(2026, 5, 5, 12, 30, tzinfo=UTC)
    assert "Written 2026-05-05 12:30 UTC by ART " in as_html(report_of(account_of(toy, "toy"), made))


def test_a_store_without_runs_still_has_a_report(page, store):
    assert "Nothing has run yet." in page(store, "nothing").text


def _of_page(source: str) -> list[list[list[str]]]:
    """Every table as its rows, each a text a cell without its spaces."""
    return [
        [
            [re.sub(r"<[^>]+>|\s", "", cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
            for row in re.findall(r"<tr\b.*?</tr>", one, re.DOTALL)
        ]
        for one in re.findall(r"<table\b.*?</table>", source, re.DOTALL)
    ]


def _of_markdown(source: str) -> list[list[list[str]]]:
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "th_open" | "td_open":
                found[-1][-1].append("")
            case "inline" if found and token.level > 3:
                kept = [
                    one.content for one in token.children or () if one.type in {"text", "text_special", "code_inline"}
                ]
                found[-1][-1][-1] += escape(re.sub(r"\s", "", "".join(kept)), quote=True)
            case _:
                pass
    return found


def test_both_formats_hold_the_same_tables(page, markdown, toy):
    """Every cell of every one; beside these, Markdown has the numbers of each figure as a table."""
    told, read = _of_markdown(markdown(toy)), page(toy)
    of_page = _of_page(read.source)
    assert len(of_page) > 5
    assert all(row for table in of_page for row in table)
    assert [table for table in told if table in of_page] == of_page
    assert len(told) - len(of_page) == len(read.all("svg"))
