"""The account of the fault benchmark: right figures, opened misses with their reasons, and held-out cases by kind alone."""

from dataclasses import replace
from typing import Any

import pytest
from benchmarks.faults.figures import figures, reached
from benchmarks.faults.report import REPORT, Notes, Part, part_of, report
from benchmarks.faults.rows import Counts, Row

from benchmarks.faults import Case, load

HELD_OUT = load("held_out")
SEALED = load("sealed")
SEEDS = (0, 1)
NOTES = Notes(
    commit="abc1234",
    history="They were counted before.",
    run="Two at a time.",
    held_out="One of them is hardly seen.",
    sealed="Rows were drawn.",
    missed={"net-unseen": "Its rule passed."},
    kinds={"secret-unseen": "a mask that is inverted", "secret-misnamed": "a mask that is missing"},
)


def fault(name: str) -> Case:
    return Case(name, "something is spoilt", ("loss", "mode"), lambda seed: None, lambda seed: None, "own")  # type: ignore[arg-type, return-value]


def row(case: str, form: str, seed: int, *found: list[Any], **other: Any) -> Row:
    return Row(
        "", case, form, seed, **{"seconds": 1.0, "unjudged": [], "commit": "abc1234", "found": list(found)} | other
    )


def finding(
    code: str, category: str = "loss", *, confirmed: bool = True, stage: str = "probe", says: str = "why"
) -> list[Any]:
    return [code, category, "warning", confirmed, says, stage]


def made_up(name: str, prefix: str, **other: Any) -> Part:
    """One fault is seen with every seed, one with none, one is called by another name, and that with one seed alone."""
    rows = [
        row(
            f"{prefix}-seen",
            "faulty",
            0,
            finding("ART1"),
            finding("ART2", stage="inspect"),
            seconds=7.0,
            judging=3,
            unjudged=["ART9"],
        ),
        row(f"{prefix}-seen", "faulty", 1, finding("ART1", confirmed=False), judging=2),
        row(f"{prefix}-seen", "clean", 0, processor=4.0, judging=3),
        row(
            f"{prefix}-seen",
            "clean",
            1,
            finding("ART3", says="its first word"),
            finding("ART3", says="its second word"),
            judging=2,
        ),
        *(row(f"{prefix}-unseen", form, seed) for form in ("faulty", "clean") for seed in SEEDS),
        row(f"{prefix}-misnamed", "faulty", 0, finding("ART4", "split", stage="train")),
        row(f"{prefix}-misnamed", "faulty", 1),
        row(f"{prefix}-misnamed", "clean", 0),
        row(f"{prefix}-misnamed", "clean", 1, broken="it did not come to an end"),
    ]
    cases = [fault(f"{prefix}-{one}") for one in ("seen", "unseen", "misnamed")]
    return part_of(name, cases, {one.key: replace(one, **other) for one in rows}, SEEDS)


def written(*parts: Part, notes: Notes = NOTES) -> str:
    return report(parts, jobs=2, budget=60.0, notes=notes)


def joined(text: str) -> str:
    """Without the ends of lines, which stand where a line is full."""
    return " ".join(text.split())


def test_figures_of_a_few_rows_are_right():
    counts = made_up("opened", "net").counts
    one = figures(counts)
    assert (one.faults, one.detected, one.right, one.confirmed, one.clean, one.alarms) == (6, 3, 2, 2, 6, 2)
    assert one.unjudged == pytest.approx(1 / 10)
    assert one.cells == {
        "faults": "6",
        "detected": "3 (50.0%)",
        "right first": "2 (33.3%)",
        "confirmed": "2 (66.7%)",
        "clean forms": "6",
        "false alarms": "2",
        "not judged": "10.0%",
        "seconds, worst": "1.0, 7.0",
        "of the processor, worst": "0.0, 4.0",
    }
    assert figures(counts, counts).cells["detected"] == "6 (50.0%)"
    assert figures(Counts()).cells["detected"] == "0 (0.0%)"


def test_what_is_asked_is_reached_exactly_at_its_bound():
    bound = replace(figures(), faults=20, detected=19, right=18, confirmed=10, clean=20, seconds=[19.9, 19.9, 59.9])
    assert reached("opened", bound) == "The part opened reaches all that is asked."
    short = replace(bound, detected=18, right=17, confirmed=8, alarms=1, seconds=[1.0, 60.0])
    assert reached("opened", short) == (
        "The part opened does not reach what is asked of: detected, right first, confirmed, false alarms, seconds."
    )
    assert reached("opened", replace(bound, alarms=1)).startswith(
        "The part opened does not reach what is asked of: false alarms; it does of: detected, "
    )


def test_tables_hold_each_part_each_seed_and_both_parts_together():
    lines = written(made_up("opened", "net"), made_up("held_out", "secret")).splitlines()
    tail = "| 6 | 3 (50.0%) | 2 (33.3%) | 2 (66.7%) | 6 | 2 | 10.0% | 1.0, 7.0 | 0.0, 4.0 |"
    assert f"| opened, all seeds {tail}" in lines
    assert f"| held out, all seeds {tail}" in lines
    assert "| together | 12 | 6 (50.0%) | 4 (33.3%) | 4 (66.7%) | 12 | 4 | 10.0% | 1.0, 7.0 | 0.0, 4.0 |" in lines
    assert "| opened, seed 0 | 3 | 2 (66.7%) | 1 (33.3%) | 2 (100.0%) | 3 | 0 | 16.7% | 1.0, 7.0 | 0.0, 4.0 |" in lines
    assert "| held out, seed 1 | 3 | 1 (33.3%) | 1 (33.3%) | 0 (0.0%) | 3 | 2 | 0.0% | 1.0, 1.0 | 0.0, 0.0 |" in lines
    assert "| opened | 3 | 1 | 1 | 1 |" in lines
    assert "| opened | 1 | 1 | 1 | 0 |" in lines
    assert "| together" not in written(made_up("opened", "net"))


def test_opened_misses_stand_with_their_reasons_and_alarms_by_name():
    text = joined(written(made_up("opened", "net")))
    assert "- `net-unseen` (2 of 2 seeds): something is spoilt. Accepted: loss, mode. Its rule passed." in text
    assert "- `net-misnamed` (1 of 2 seeds): something is spoilt. Accepted: loss, mode. Why is not known." in text
    assert "- `net-misnamed`: ART4, split, for loss or mode (1 of 2 seeds)" in text
    assert "- `net-seen`: ART3 (1 of 2 seeds), its first word" in text
    assert "- `net-misnamed`, clean: did not come to an end (1 of 2 seeds), it did not come to an end" in text
    assert "Measured at commit abc1234. Two at a time." in text


def test_the_held_out_part_is_told_by_kind_and_never_by_name_title_or_message():
    text = joined(written(made_up("held_out", "secret")))
    assert "- a mask that is inverted (2 of 2 seeds)" in text
    assert "- a mask that is missing (1 of 2 seeds)" in text
    assert "- a mask that is missing: split, for loss or mode (1 of 2 seeds)" in text
    assert "- ART3 on a clean form: 1" in text
    assert "- a diagnosis did not come to an end: 1" in text
    assert "They were counted before. One of them is hardly seen." in text
    assert not any(told in text for told in ("secret", "something is spoilt", "its first word"))


def test_the_sealed_part_is_told_by_kind_with_its_own_command_and_word():
    text = joined(written(made_up("sealed", "secret")))
    assert "`python -m benchmarks.faults --part sealed --jobs 2`; seeds 0, 1;" in text
    assert "## The sealed part, by kind Rows were drawn. Missed:" in text
    assert "- a mask that is inverted (2 of 2 seeds)" in text
    assert "- ART3 on a clean form: 1" in text
    assert "They were counted before." not in text
    assert not any(told in text for told in ("secret", "something is spoilt", "its first word", "make bench-faults"))


def test_every_sealed_fault_has_a_kind_that_names_no_case():
    kinds = Notes.read().kinds
    untold = sum(case.name not in kinds for case in SEALED if case.faulty is not None)
    telling = sum(case.name.split("-")[0] in kinds.get(case.name, "") for case in SEALED)
    assert (untold, telling) == (0, 0)


def test_faults_of_a_kind_are_told_together_and_a_kind_that_nobody_wrote_is_not_guessed():
    part = made_up("held_out", "secret")
    alike = joined(
        written(part, notes=replace(NOTES, kinds=dict.fromkeys(["secret-unseen", "secret-misnamed"], "a mask")))
    )
    assert "- a mask (1 of 2 seeds) - a mask (2 of 2 seeds)" in alike
    pairs = [(case, []) for case, _ in part.counts.pairs]
    none = joined(written(replace(part, counts=replace(part.counts, pairs=pairs)), notes=Notes()))
    assert "- a kind that is not told (3 faults, 2 of 2 seeds)" in none


@pytest.mark.parametrize("commit", ["def5678", "abc1234-dirty", ""])
def test_reasons_that_were_found_at_another_commit_are_left_out(commit: str):
    text = joined(written(made_up("opened", "net", commit=commit), made_up("held_out", "secret", commit=commit)))
    assert (f"Measured at commit {commit}." if commit else "At which commit is not known.") in text
    assert "They were counted before." in text
    assert not any(note in text for note in (NOTES.run, NOTES.held_out, "Its rule passed."))


def test_two_cases_of_one_kind_that_are_called_by_another_name_are_two_lines():
    cases = [fault("secret-a"), fault("secret-b")]
    forms = [("faulty", [finding("ART4", "split")]), ("clean", [])]
    rows = [row(case.name, form, seed, *found) for case in cases for form, found in forms for seed in SEEDS]
    part = part_of("held_out", cases, {one.key: one for one in rows}, SEEDS)
    text = written(part, notes=replace(NOTES, kinds=dict.fromkeys(["secret-a", "secret-b"], "a mask")))
    assert text.count("- a mask: split, for loss or mode (2 of 2 seeds)") == 2


def test_an_account_of_nothing_says_so_without_breaking_down():
    text = joined(written(part_of("opened", [], {}, SEEDS)))
    assert "At which commit is not known." in text
    assert "| opened, all seeds | 0 | 0 (0.0%) |" in text


def test_rows_of_several_commits_are_said_to_be():
    text = written(made_up("opened", "net"), made_up("held_out", "secret", commit="def5678"))
    assert "Measured at commit abc1234 and def5678." in joined(text)
    assert NOTES.run not in text


def test_notes_are_of_cases_that_there_are():
    notes = Notes.read()
    assert set(notes.missed) <= {case.name for case in load("opened")}
    # Counts, since what a failing assertion shows would tell the names.
    strange = len(set(notes.kinds) - {case.name for case in (*HELD_OUT, *SEALED)})
    assert strange == 0


def test_neither_the_report_nor_the_notes_name_a_held_out_or_sealed_case():
    notes = Notes.read()
    for text in (
        REPORT.read_text(),
        " ".join(
            [notes.history, notes.run, notes.held_out, notes.sealed, *notes.missed.values(), *notes.kinds.values()]
        ),
    ):
        named = sum(case.name in text or case.title in joined(text) for case in (*HELD_OUT, *SEALED))
        assert named == 0


@pytest.mark.parametrize("part", ["held_out", "sealed"])
def test_the_whole_benchmark_missed_throughout_is_told_without_a_name(part: str):
    cases = load(part)
    rows = [row(case.name, form, 0, broken=case.name) for case in cases for form in ("faulty", "clean")]
    text = written(part_of(part, cases, {one.key: one for one in rows}, [0]), notes=Notes.read())
    named = sum(case.name in text or case.title in joined(text) for case in cases)
    assert named == 0


def test_no_line_of_text_is_longer_than_a_reader_sees():
    long = replace(NOTES, missed={"net-unseen": "a well-known-reason " * 40})
    lines = written(made_up("opened", "net"), made_up("held_out", "secret"), notes=long).splitlines()
    assert max(len(line) for line in lines) <= 140
