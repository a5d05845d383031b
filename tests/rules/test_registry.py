"""Rules of other distributions join ART's own, and what cannot be used is left out and told."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import art_training.rules
from art_training import plugins
from art_training.errors import UsageError
from art_training.plugins import PluginWarning
from art_training.records import Severity
from art_training.records.codes import spelled
from art_training.rules import Rule, Stage, registry, rule_called, rules
from art_training.rules.watched import judged
from art_training.views import purposes, rulebook

RULE = """
from art_training.probes.health import Health
from art_training.records import Severity
from art_training.rules import Found, Stage, rule

SAID = "it is here"

@rule(
    "{code}", "a fault of theirs", category="{category}", severity=Severity.WARNING, stage=Stage.TRAIN, finds=SAID, why="it hurts",
    wrong="a", right="b", source="a paper", watches=(Health,),
)
def theirs(laboratory):
    {judge}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Installs a distribution of one module; what was known of rules before is known again afterwards."""
    _forget()

    def install(
        name: str, prefix: str, *, code: str = "", category: str = "data", judge: str = "return None", text: str = ""
    ) -> None:
        site = tmp_path / name
        record = site / f"{name}-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(f"[art_training.rules]\n{prefix} = {name}_rules\n")
        source = text or RULE.format(code=code or f"{prefix}101", category=category, judge=judge)
        (site / f"{name}_rules.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, f"{name}_rules", raising=False)
        _forget()

    yield install
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    plugins.offered.cache_clear()
    plugins._TOLD.clear()
    rules.cache_clear()
    registry._others.cache_clear()
    rulebook._rulebook.cache_clear()
    purposes.purpose_of.cache_clear()


def test_what_art_ships_is_what_it_asks_of_others() -> None:
    found = registry.rules_of("ART", art_training.rules)
    assert len(found) > 100
    assert not any(registry.origin_of(one.code) for one in found)


@pytest.mark.parametrize(
    ("written", "read"), [("402", "ART402"), (" art402 ", "ART402"), ("lab101", "LAB101"), (402, "ART402")]
)
def test_codes_are_understood_as_people_write_them(written: object, read: str) -> None:
    assert spelled(written) == read


def test_a_rule_of_others_joins_and_says_where_it_comes_from(install) -> None:
    before = registry.version()
    install("theirs", "LAB")
    one = rule_called("lab101")
    assert one is not None
    assert rules()[-1] is one
    origin = registry.origin_of("LAB101")
    assert origin is not None
    assert origin.origin == "theirs 1.0"
    row = rulebook.rule_of("LAB101")
    assert row is not None
    assert (row.finds, row.origin, row.stage) == ("it is here", "theirs 1.0", "train")
    registry.version.cache_clear()
    assert registry.version() == before
    assert set(registry.versions_of_others()) == {"LAB"}


def test_one_that_is_not_written_as_literals_is_imported_to_be_told(install) -> None:
    text = RULE.format(code="LAB101", category="data", judge="return None").replace('"it is here"', "str(17) + ' rows'")
    install("computed", "LAB", text=text)
    row = rulebook.rule_of("LAB101")
    assert row is not None
    assert (row.finds, row.origin) == ("17 rows", "computed 1.0")


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("must have a code of LAB and three digits", {"code": "ART402"}),
        ("must have a code of LAB and three digits", {"code": "LAB1"}),
        ("has the category 'weather'; there are: data, split", {"category": "weather"}),
        ("must be called by two to twelve capital letters", {"prefix": "ARTLAB"}),
        ("must be called by two to twelve capital letters", {"prefix": "lab"}),
        ("cannot be imported: No module named 'no_such_module'", {"text": "import no_such_module"}),
        ("cannot be imported: ValueError: it is broken", {"text": "raise ValueError('it is broken')"}),
        ("cannot be imported: SystemExit: 3", {"text": "raise SystemExit(3)"}),
        ("cannot be imported: SyntaxError", {"text": "def"}),
        ("are none: no function of broken_rules is decorated", {"text": "x = 1"}),
    ],
)
def test_one_that_cannot_be_used_is_left_out_and_told_once(install, told: str, arguments: dict[str, str]) -> None:
    own = len(rules())
    install("broken", arguments.pop("prefix", "LAB"), **arguments)
    with pytest.warns(PluginWarning, match="rules are left out: ") as warned:
        assert len(rules()) == own
    assert len(warned) == 1
    assert told in str(warned[0].message)
    rules.cache_clear()
    assert len(rules()) == own


def test_of_two_that_have_one_name_the_second_is_left_out_and_told(install) -> None:
    install("alpha", "LAB")
    install("beta", "LAB")
    with pytest.warns(PluginWarning, match="the rule 'LAB' of beta is left out, because alpha offers one of this name"):
        rules()
    origin = registry.origin_of("LAB101")
    assert origin is not None
    assert origin.distribution == "alpha"
    assert [one.taken_by for one in plugins.extensions("rules")] == ["", "", "alpha"]


def test_one_that_raises_silences_no_other_and_ends_no_training(install) -> None:
    install("raising", "LAB", judge="raise KeyError('x')")
    told, _ = judged(())
    assert told["not judged"]["LAB101"].endswith("please report it to those who make raising")


def test_what_is_found_is_told_in_words() -> None:
    with pytest.raises(TypeError, match="remedy=7 of what a rule found is no text"):
        registry.import_module("art_training.rules").Found("it", {}, 7)
    with pytest.raises(UsageError, match="name the module or the package"):
        registry.rules_of("LAB", Rule)


def test_a_severity_is_one(install) -> None:
    (one,) = [rule for rule in rules() if rule.code == "ART402"]
    assert registry.what_is_wrong(one, "ART") == ""
    wrong = {"severity": "bad", "stage": Stage.TRAIN}
    assert "Severity.ERROR" in registry.what_is_wrong(replace(one, **wrong), "ART")
    assert "nobody can declare" in registry.what_is_wrong(replace(one, settles=("moon",)), "ART")
    assert one.severity is Severity.ERROR
