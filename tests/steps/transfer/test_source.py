"""Where pretrained weights come from is told by their name."""

from pathlib import Path

import pytest

from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Foresight, Outcome, Promise
from art_training.steps.delivering.delivery import DELIVERED, Delivery, Member
from art_training.steps.transfer.source import Source, require_file, require_source, source_of, weights_of

SAID = "pretrained='Squeeze' of step 'TransferLearning'"
STEPS = ("Overfit", "Squeeze", "Squeeze/more")


def kept(*names: str) -> tuple[Artifact, ...]:
    return tuple(Artifact(name, "checkpoint", f"digest of {name}", 1) for name in names)


def delivering(*names: str, temperature: float = 1.0, others: tuple[str, ...] = ()) -> Outcome:
    members = tuple(Member(name, 1 / len(names)) for name in names)
    return Outcome(
        artifacts=(*kept(*names, *others), Artifact("model.zip", "other", "d", 1)),
        parameters={DELIVERED: Delivery(members, temperature).described},
    )


ENSEMBLE = delivering("member 1/last.ckpt", "member 2/last.ckpt")


@pytest.mark.parametrize(
    ("pretrained", "found"),
    [
        ("Squeeze", Source("Squeeze")),
        ("Squeeze/member 1", Source("Squeeze", "member 1")),
        ("Squeeze/more", Source("Squeeze/more")),
        ("Squeeze/more/member 1", Source("Squeeze/more", "member 1")),
        ("weights.pt", None),
        (Path("Squeeze"), None),
        (None, None),
    ],
)
def test_a_step_is_named_by_its_name_and_one_of_its_members_behind_a_slash(
    pretrained: str | Path | None, found: Source | None
) -> None:
    assert source_of(pretrained, STEPS) == found


def test_a_file_in_a_folder_that_is_called_as_a_step_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Overfit").mkdir()
    Path("Overfit/net.pt").write_bytes(b"")
    assert source_of("Overfit/net.pt", STEPS) is None


def test_one_training_is_one_model_whatever_its_temperature() -> None:
    assert weights_of(Source("Squeeze"), delivering("last.ckpt", temperature=1.3), SAID).name == "last.ckpt"
    told = Outcome(artifacts=kept("trial 3.ckpt", "last.ckpt"))
    assert weights_of(Source("Tune"), told, SAID).name == "last.ckpt"


@pytest.mark.parametrize(
    ("outcome", "member", "name"),
    [
        (ENSEMBLE, "member 2", "member 2/last.ckpt"),
        (ENSEMBLE, "member 2/last.ckpt", "member 2/last.ckpt"),
        (Outcome(artifacts=kept("trial 3.ckpt", "last.ckpt")), "trial 3", "trial 3.ckpt"),
        (Outcome(artifacts=kept("frozen.ckpt", "last.ckpt")), "frozen", "frozen.ckpt"),
    ],
)
def test_one_of_several_weights_is_taken_by_its_name(outcome: Outcome, member: str, name: str) -> None:
    assert weights_of(Source("Squeeze", member), outcome, SAID).name == name


@pytest.mark.parametrize(
    ("outcome", "member", "told"),
    [
        (
            ENSEMBLE,
            "",
            (
                "names a step that delivers an ensemble of 2, and a model begins with the weights of one; name one of them: "
                "'Squeeze/member 1', 'Squeeze/member 2'; or let the step deliver one model, as a squeeze with ensemble=0 does"
            ),
        ),
        (
            ENSEMBLE,
            "member 3",
            "names weights that Squeeze did not leave; it left: 'Squeeze/member 1', 'Squeeze/member 2'",
        ),
        (Outcome(), "member 1", "did not leave; it left: none"),
        (Outcome(artifacts=kept("a.ckpt", "b.ckpt")), "", "left several weights .* name one: 'Squeeze/a', 'Squeeze/b'"),
        (Outcome(), "", "names a step that left no weights; name one that did"),
    ],
)
def test_what_is_no_one_model_is_told_with_what_there_is(outcome: Outcome, member: str, told: str) -> None:
    with pytest.raises(SetupError, match=f"^{SAID} .*{told}") as raised:
        weights_of(Source("Squeeze", member), outcome, SAID)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_neither_a_file_nor_a_step_is_told_with_the_nearest_step(tmp_path: Path) -> None:
    steps = {
        "Pretrain": Promise("Overfit", weights=True, files=False),
        "Data": Promise("D", weights=False, files=False),
    }
    before = Foresight("Transfer", steps)
    require_source("Pretrain/member 1", SAID, before)
    (tmp_path / "net.pt").write_bytes(b"")
    require_source(str(tmp_path / "net.pt"), SAID, before)
    with pytest.raises(ProjectError, match=r"neither a file nor an earlier step \(did you mean 'Pretrain'\?\); give"):
        require_source("Pretrian", SAID, before)
    with pytest.raises(
        ProjectError, match=r"neither a file nor an earlier step; .* the name of an earlier step: Pretrain$"
    ):
        require_source(tmp_path / "nothing.pt", SAID, before)
    with pytest.raises(ProjectError, match="names a step that leaves no weights; name one that does: Pretrain"):
        require_source("Data", SAID, before)


def test_a_file_that_a_step_of_the_users_own_may_write_is_left_to_the_run(tmp_path: Path) -> None:
    ours = {"Pretrain": Promise("Overfit", weights=True, files=False)}
    before = Foresight("Transfer", {**ours, "Export": Promise("Export")})
    for name in ("nothing.pt", "nothing.safetensors", "folder/nothing"):
        require_source(tmp_path / name, SAID, before)
        require_source(str(tmp_path / name), SAID, before)
    with pytest.raises(ProjectError, match=r"did you mean 'Pretrain'"):
        require_source("Pretrian", SAID, before)
    late = Foresight("Transfer", ours, later=("Export",))
    with pytest.raises(ProjectError, match="neither a file nor an earlier step"):
        require_source(tmp_path / "nothing.pt", SAID, late)


def test_a_file_that_is_still_not_there_when_the_step_runs_is_told_with_who_may_have_written_it(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pt"
    told = rf"^{SAID} is no file: there is none at {path}, and none of the steps before it \(Export\) has written it; let one "
    with pytest.raises(
        SetupError, match=told + r"write it there, again if it was recalled: `art run --force-step Export`; or"
    ):
        require_file(path, SAID, ["Export"])
    path.touch()
    require_file(path, SAID, [])
