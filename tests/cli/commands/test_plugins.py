"""`art plugins`: what is offered, by whom, and what is wrong with what is left out."""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from art_training import plugins
from art_training.cli.failing import _plainly_warned
from art_training.rules import registry, rules
from art_training.steps import __all__ as steps

BROKEN = {
    "steps": {"Gone": "no_such_module:Gone", "Half": "their_odd:Half", "Other": "their_odd:Named"},
    "checks": {"Below": "their_odd:SEVEN", "Odd": "their_odd:SEVEN"},
    "rules": {"LAB": "their_end"},
    "standards": {"karma": "their_odd:SEVEN"},
    "templates": {"nope": "their_odd:SEVEN"},
    "trackers": {"boom": "their_odd:SEVEN"},
    "stores": {"far": "their_odd:SEVEN"},
    "engines": {"near": "their_odd:Half"},
}
ODD = """
from dataclasses import dataclass
from art_training.steps import Step

SEVEN = 7

@dataclass(frozen=True)
class Half(Step):
    pass

@dataclass(frozen=True)
class Named(Step):
    def run(self, bench): ...
"""
TOLD = {
    "Gone": "cannot be imported: No module named 'no_such_module'",
    "Half": "has no run, which every Step has",
    "Other": "is a class called Named, and records call it so",
    "Below": "art-training has a check of this name already",
    "Odd": "is no class of Check but 7",
    "LAB": "cannot be imported: SystemExit: 4",
    "karma": "is of type int; whoever offers it is to give a Standard",
    "nope": "is of type int; it must be a path",
    "boom": "is 7; whoever offers it is to give a class of Tracker",
    "far": "is no class of Store but 7",
    "near": "is no class of Engine",
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution of which nothing can be used."""
    record = tmp_path / "site" / "theirs-0.3.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 0.3\n")
    groups = (
        f"[art_training.{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in BROKEN.items()
    )
    (record / "entry_points.txt").write_text("\n".join(groups))
    (record.parent / "their_odd.py").write_text(ODD)
    (record.parent / "their_end.py").write_text("import sys\nsys.exit(4)\n")
    monkeypatch.syspath_prepend(str(record.parent))
    _forget()
    yield
    monkeypatch.undo()
    for module in ("their_odd", "their_end"):
        sys.modules.pop(module, None)
    _forget()


def _forget() -> None:
    plugins.offered.cache_clear()
    plugins._TOLD.clear()
    rules.cache_clear()
    registry._others.cache_clear()


def test_what_art_ships_works_and_says_what_it_is(art) -> None:
    answer = art("plugins", "--json")
    assert answer.code == 0
    rows = json.loads(answer.out)["extensions"]
    assert {row["group"] for row in rows} == set(plugins.GROUPS)
    assert all(row["about"] and not row["problem"] and row["distribution"] == "art-training" for row in rows)
    assert {row["name"] for row in rows if row["group"] == "steps"} == set(steps) - {"Bench", "Step", "only"}
    assert "No other distribution offers an extension" in art("plugins", "--others").out


@pytest.mark.usefixtures("broken")
def test_each_that_cannot_be_used_is_named_with_the_reason(art) -> None:
    answer = art("plugins", "--others", "--json")
    assert answer.code == 3
    rows = {row["name"]: row for row in json.loads(answer.out)["extensions"]}
    assert set(rows) == set(TOLD)
    for name, told in TOLD.items():
        assert told in rows[name]["problem"], rows[name]["problem"]
        assert (rows[name]["distribution"], rows[name]["version"]) == ("theirs", "0.3")
    assert "is left out everywhere" in art("plugins").out


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("command", "told"), [("rules", "rules are left out: the rule 'LAB'"), ("new --list", "the template 'nope'")]
)
def test_what_does_not_use_them_goes_on_with_one_warning(art, command: str, told: str) -> None:
    with pytest.warns(plugins.PluginWarning) as warned:
        answer = art(*command.split())
    assert answer.code == 0
    assert answer.out
    assert "nope" not in answer.out
    (one,) = [str(each.message) for each in warned if told in str(each.message)]
    assert one.endswith("`art plugins` says more")


def test_a_warning_of_an_extension_is_a_sentence_at_the_command_line_and_others_stay() -> None:
    with _plainly_warned():
        said = warnings.formatwarning(plugins.PluginWarning("it is left out"), plugins.PluginWarning, "file.py", 7)
        other = warnings.formatwarning("look here", UserWarning, "file.py", 7)
    assert said == "Warning: it is left out\n"
    assert other.startswith("file.py:7: UserWarning: look here")


@pytest.mark.usefixtures("broken")
@pytest.mark.filterwarnings("ignore::art_training.plugins.PluginWarning")
def test_a_standard_that_names_a_check_of_theirs_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    from art_training.errors import UsageError
    from art_training.standards import read_standard

    file = tmp_path / "ours.toml"
    file.write_text('name = "ours"\nversion = 1\n[[requires]]\ntype = "CheckPasses"\nstep = "Overfit"\ncheck = "Odd"\n')
    with pytest.raises(UsageError, match="the check 'Odd' is 7; whoever offers it is to give a class of Check"):
        read_standard(file)
