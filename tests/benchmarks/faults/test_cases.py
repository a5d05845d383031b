"""The cases of the fault benchmark build and train, in both forms, without a word of complaint."""

from collections import Counter
from pathlib import Path

import pytest
from benchmarks.faults.training import trained

from benchmarks import faults
from benchmarks.faults import CATEGORIES, Case, Project, load

CASES = load("opened") + load("held_out")
SEALED = load("sealed")
FAULTY = [case for case in CASES if case.faulty is not None]
CLEAN = [case for case in CASES if case.faulty is None]


def distinct() -> dict[str, tuple[Case, str]]:
    """Every project once: many cases share a clean twin."""
    seen: dict[str, tuple[Case, str]] = {}
    for case in (*CASES, *SEALED):
        seen.setdefault(f"{case.clean.__module__} {case.name.split('-')[0]} {case.clean!r}", (case, "clean"))
        if case.faulty is not None:
            seen[f"{case.name} faulty"] = (case, "faulty")
    return seen


def shown(case: Case, form: str) -> str:
    """What a test is called, which of a sealed case does not tell its name."""
    return f"sealed-{SEALED.index(case)}-{form}" if case in SEALED else f"{case.name}-{form}"


PROJECTS = list(distinct().values())


def test_there_are_as_many_cases_as_the_benchmark_promises():
    assert len(FAULTY) >= 90
    assert len(CLEAN) >= 40


def test_a_third_of_them_is_held_out():
    held = load("held_out")
    assert 0.3 < sum(case.faulty is not None for case in held) / len(FAULTY) < 0.4
    assert 0.3 < sum(case.faulty is None for case in held) / len(CLEAN) < 0.4


def test_the_sealed_part_has_thirty_faults_and_ten_clean_set_ups_each_of_a_row_of_its_own():
    assert sum(case.faulty is not None for case in SEALED) == 30
    assert sum(case.faulty is None for case in SEALED) == 10
    assert len({case.source for case in SEALED}) == 40


def test_sealed_cases_are_whole_and_of_other_files_than_the_others():
    # Numbers, since what a failing assertion shows would tell the names.
    unknown = sum(not set(case.categories) <= set(CATEGORIES) or len(case.title) < 20 for case in SEALED)
    again = len(SEALED) - len({case.name for case in SEALED} - {case.name for case in CASES})
    bases = {module.__name__.rpartition(".")[2] for part in ("opened", "held_out") for module in faults.modules(part)}
    shared = sum(module.__name__.rpartition(".")[2] in bases for module in faults.modules("sealed"))
    assert (unknown, again, shared) == (0, 0, 0)


def test_names_are_unique_and_titles_say_something():
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    assert [case.name for case in CASES if len(case.title) < 20] == []


def test_categories_are_known_and_every_one_of_them_has_a_case():
    assert {case.categories[0] for case in FAULTY} | {"numerics"} == set(CATEGORIES)
    assert all(set(case.categories) <= set(CATEGORIES) for case in CASES)


def test_a_case_refuses_unknown_categories_and_a_fault_without_one():
    with pytest.raises(ValueError, match="no category 'weights'"):
        Case("x", "y", ("weights",), None, CASES[0].clean, "own")
    with pytest.raises(ValueError, match="a fault has some"):
        Case("x", "y", (), CASES[0].clean, CASES[0].clean, "own")


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="no part 'hidden' of the benchmark; there are: opened, held_out, sealed"):
        load("hidden")


def test_a_part_that_is_not_there_is_said_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(faults, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="the part 'held_out' is not in this checkout"):
        load("held_out")


def test_seeds_draw_other_data():
    case = next(case for case in CASES if case.name == "digits-cnn-softmax")
    sizes = set()
    for seed in range(3):
        data = case.clean(seed).data()
        data.setup("fit")
        sizes.add(len(data.train_set))
    assert len(sizes) == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PROJECTS)), ids=[shown(*one) for one in PROJECTS])
def test_a_project_trains_and_validates_in_silence(number: int, tmp_path: Path):
    case, form = PROJECTS[number]
    made = case.clean if form == "clean" else case.faulty
    project: Project = made(number % 3)  # type: ignore[misc]
    limits = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 1, "num_sanity_val_steps": 0}
    _, trainer = trained(project, tmp_path, **limits)
    assert trainer.state.finished
    assert trainer.global_step >= 0
