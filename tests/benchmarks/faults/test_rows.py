"""What the fault benchmark counts, whoever judged: rows read back, faults against their clean twins."""

from pathlib import Path

import pytest
from benchmarks.faults.rows import Row, computed, counted, known, new_findings

from benchmarks.faults import Case


def row(case: str, form: str, *codes: str, severity: str = "warning", broken: str = "") -> Row:
    return Row("opened", case, form, 0, 1.0, [[code, "loss", severity, False, "why"] for code in codes], [], broken)


def fault(name: str) -> Case:
    return Case(name, "a fault that spoils something", ("loss",), lambda seed: None, lambda seed: None, "own")  # type: ignore[arg-type, return-value]


def test_only_what_the_twin_does_not_draw_is_new():
    new = new_findings(row("a", "faulty", "X1", "X2"), row("a", "clean", "X1"))
    assert [one[0] for one in new] == ["X2"]


def test_infos_are_neither_detections_nor_alarms():
    faulty, clean = row("a", "faulty", "X1", severity="info"), row("a", "clean", "X2", severity="info")
    assert new_findings(faulty, clean) == []
    assert clean.serious == []


def test_a_fault_is_detected_although_its_twin_draws_an_info_of_that_code():
    assert new_findings(row("a", "faulty", "X1"), row("a", "clean", "X1", severity="info"))


def test_counts_hold_pairs_clean_forms_and_what_broke_down():
    rows = [row("a", "faulty", "X1"), row("a", "clean"), row("b", "faulty", broken="died"), row("b", "clean", "X2")]
    counts = counted([fault("a"), fault("b"), fault("c")], {one.key: one for one in rows}, [0])
    assert [(case.name, len(new)) for case, new in counts.pairs] == [("a", 1), ("b", 0)]
    assert [one.case for one in counts.clean] == ["a", "b"]
    assert [(one.case, one.form) for one in counts.broken] == [("b", "faulty")]
    assert counts.seconds == [1.0] * 4


def test_rows_are_read_back_as_they_were_written(tmp_path: Path):
    results = tmp_path / "results.jsonl"
    assert known(results) == {}
    rows = computed(["a", "b"], lambda name: [row(name, "clean", "X1")], results, 1)
    assert known(results) == rows
    computed(["c"], lambda name: [row(name, "clean")], results, 1)
    assert set(known(results)) == {(name, "clean", 0) for name in "abc"}


def test_the_terminal_is_not_told_which_sealed_case_was_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    judged = [row("a-name", "faulty", "X1"), Row("sealed", "a-secret", "faulty", 2, 3.5, [], [], "died of a secret")]
    computed(judged, lambda one: [one], tmp_path / "results.jsonl", 1)
    assert capsys.readouterr().out.splitlines() == ["a-name faulty 0 1.0 ['X1'] ", "sealed faulty 2 3.5"]
