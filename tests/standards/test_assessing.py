from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from art_training.records import Severity, StepState, Verdict, VerdictState
from art_training.standards import (
    Answer,
    EveryStepPassed,
    FindingRecord,
    FindingsSettled,
    Met,
    Record,
    Requirement,
    Scored,
    Standard,
    StepPassed,
    Subject,
    Waiver,
    WaiverState,
    assess,
    met,
    not_covered,
)
from art_training.testing.standards import made_up_record, made_up_step

WRONG = [Verdict(name, VerdictState.FAILED, f"{name} is not so") for name in ("a < 1", "b < 1")]
FAILED = made_up_step("Overfit", state=StepState.FAILED, checks=WRONG)
OVERFIT = Standard("house", requires=[StepPassed("Overfit")])


def waiver(of: str) -> Waiver:
    return Waiver(of, by="Ada", reason="because", granted="2026-01-01", until="2026-12-31")


def answer_of(found: object, key: str) -> object:
    return next(one for one in found.answers if one.requirement == key)


@dataclass(frozen=True)
class Says(Requirement):
    what: object = None

    def judge(self, record: Record) -> Answer:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


def test_a_fresh_record_that_has_what_is_asked_meets_the_standard() -> None:
    found = assess(OVERFIT, made_up_record(made_up_step("Overfit")))
    assert found.state is Met.MET
    assert [one.state for one in found.answers] == [Met.NOT_COVERED, Met.MET, Met.MET]


def test_a_stale_step_is_not_met_whatever_it_reached() -> None:
    stale = replace(made_up_step("Overfit"), stale="hparams.lr: 0.1 -> 0.2")
    found = assess(OVERFIT, made_up_record(stale))
    assert found.state is Met.NOT_MET
    assert "hparams.lr: 0.1 -> 0.2" in answer_of(found, "Fresh").reason
    assert assess(OVERFIT, made_up_record(stale, planned="remembered"), recorded=True).state is Met.NOT_MET


@pytest.mark.parametrize("planned", ["remembered", "never"])
def test_what_changed_since_is_not_known_without_the_project(planned: str) -> None:
    record = made_up_record(made_up_step("Overfit"), planned=planned)
    assert assess(OVERFIT, record).state is Met.NOT_JUDGED
    assert assess(OVERFIT, record, recorded=True).state is Met.MET


def test_a_setup_that_cannot_be_looked_at_leaves_it_open_whether_the_record_is_fresh() -> None:
    broken = replace(made_up_step("Overfit"), broken="ImportError: no module 'net'")
    assert assess(OVERFIT, made_up_record(broken)).state is Met.NOT_JUDGED


def test_another_file_is_not_met_whatever_the_record_reached() -> None:
    subject = Subject("x.ckpt", digest="0" * 64, refused="x.ckpt is something else")
    found = assess(OVERFIT, made_up_record(made_up_step("Overfit"), subject=subject), [waiver("OfThisRecord")])
    assert found.state is Met.NOT_MET
    assert found.waivers[0].state is WaiverState.REFUSED


def test_nobody_can_waive_that_a_record_is_stale() -> None:
    stale = replace(made_up_step("Overfit"), stale="hparams.lr: 0.1 -> 0.2")
    found = assess(OVERFIT, made_up_record(stale), [waiver("Fresh")])
    assert (found.state, found.waivers[0].state) == (Met.NOT_MET, WaiverState.REFUSED)


def test_each_failed_check_needs_a_waiver_of_its_own() -> None:
    one = assess(OVERFIT, made_up_record(FAILED), [waiver("Overfit: a < 1")])
    assert one.state is Met.NOT_MET
    answer = answer_of(one, "StepPassed('Overfit')")
    assert [part.waiver is None for part in answer.parts] == [False, True]
    both = assess(OVERFIT, made_up_record(FAILED), [waiver("Overfit: a < 1"), waiver("Overfit: b < 1")])
    assert both.state is Met.MET
    assert answer_of(both, "StepPassed('Overfit')").state is Met.WAIVED


@pytest.mark.parametrize("key", ["StepPassed('Overfit')", 'StepPassed("Overfit")', "StepPassed"])
def test_a_whole_requirement_can_be_waived(key: str) -> None:
    assert assess(OVERFIT, made_up_record(FAILED), [waiver(key)]).state is Met.MET


def test_one_waiver_of_a_check_counts_wherever_the_check_is_asked_for() -> None:
    standard = Standard("house", requires=[StepPassed("Overfit"), EveryStepPassed()])
    waivers = [waiver("a < 1"), waiver("b < 1")]
    assert assess(standard, made_up_record(FAILED), waivers).state is Met.MET


def test_a_waiver_that_may_mean_several_things_means_none() -> None:
    standard = Standard("house", requires=[StepPassed("Overfit"), StepPassed("Tune")])
    found = assess(standard, made_up_record(FAILED), [waiver("StepPassed")])
    assert (found.state, found.waivers[0].state) == (Met.NOT_MET, WaiverState.AMBIGUOUS)
    assert "StepPassed('Overfit'), StepPassed('Tune'); name one" in found.waivers[0].told


def test_waivers_that_do_nothing_are_told() -> None:
    record = made_up_record(made_up_step("Overfit"))
    found = assess(
        OVERFIT, record, [waiver("StepPassed('Overfit')"), waiver("StepPassed('Overfitt')"), waiver("ART804")]
    )
    assert [one.state for one in found.waivers] == [
        WaiverState.NOT_NEEDED,
        WaiverState.UNMATCHED,
        WaiverState.UNMATCHED,
    ]
    assert "(did you mean \"StepPassed('Overfit')\"?)" in found.waivers[1].told


def test_a_finding_is_waived_by_its_code_where_one_step_alone_has_it() -> None:
    standard = Standard("house", requires=[FindingsSettled("warning")])
    one, other = (
        FindingRecord("ART804", Severity.WARNING, step, "the gain is small", "open") for step in ("FinalTest", "Other")
    )
    steps = (made_up_step("FinalTest"), made_up_step("Other"))
    assert assess(standard, made_up_record(*steps, findings=(one,)), [waiver("ART804")]).state is Met.MET
    both = made_up_record(*steps, findings=(one, other))
    assert assess(standard, both, [waiver("ART804")]).state is Met.NOT_MET
    assert assess(standard, both, [waiver("FinalTest: ART804"), waiver("Other: ART804")]).state is Met.MET


def test_what_is_not_met_outweighs_what_could_not_be_judged() -> None:
    standard = Standard("house", requires=[StepPassed("Overfit"), Says(Answer(Met.NOT_JUDGED, "who knows"))])
    assert assess(standard, made_up_record(made_up_step("Overfit"))).state is Met.NOT_JUDGED
    assert assess(standard, made_up_record(FAILED)).state is Met.NOT_MET


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (ValueError("no"), "the requirement raised ValueError: no"),
        (None, "its judge() gave None; return met('why')"),
        (True, "its judge() gave True"),
        (Answer(Met.WAIVED, "by myself"), "its judge() gave Answer("),
    ],
)
def test_a_requirement_that_gives_no_answer_could_not_be_judged(what: object, told: str) -> None:
    found = assess(Standard("house", requires=[Says(what)]), made_up_record(made_up_step("Overfit")))
    assert found.state is Met.NOT_JUDGED
    assert found.answers[-1].reason.startswith(told)


def test_nothing_met_is_nothing_shown() -> None:
    standard = Standard("house", requires=[Says(not_covered("of another world"))])
    record = made_up_record(made_up_step("Overfit"), planned="remembered")
    assert assess(standard, record, recorded=True).state is Met.NOT_JUDGED


def test_points_are_summed_by_section_and_the_smallest_sum_is_the_score() -> None:
    scored = [
        Scored("Data", "looked at", StepPassed("ExploreData")),
        Scored("Data", "private", needs="a review"),
        Scored("Model", "learns", StepPassed("Overfit"), worth=1),
        Scored("Model", "tuned", StepPassed("Tune")),
    ]
    record = made_up_record(made_up_step("ExploreData"), made_up_step("Overfit"), at=datetime(2026, 6, 1, tzinfo=UTC))
    found = assess(Standard("score", requires=scored, at_least=0.5), record)
    assert (found.state, found.score, found.sections) == (Met.MET, 0.5, {"Data": 0.5, "Model": 1.0})
    assert assess(Standard("score", requires=scored, at_least=0.6), record).state is Met.NOT_MET
    waived = assess(Standard("score", requires=scored, at_least=0.6), record, [waiver("Model: tuned")])
    assert waived.sections["Model"] == 1.0  # somebody answers for it, and nobody tested it
    beside = Standard("score", requires=[*scored, StepPassed("Tune")], at_least=0.5)
    assert assess(beside, record).state is Met.NOT_MET


def test_a_requirement_of_ones_own_is_answered_like_any_other() -> None:
    found = assess(Standard("house", requires=[Says(met("so it is", number=3))]), made_up_record(made_up_step("A")))
    assert (found.answers[-1].state, found.answers[-1].numbers) == (Met.MET, {"number": 3})
