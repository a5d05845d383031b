"""What a terminal shows before there is anything to show."""

import io
import sys

import pytest

from art_training.cli.waiting import Waiting

WIPED = "\r\x1b[2K"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_waited_for_is_one_line_that_is_gone_before_anything_else_is_said(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    waiting = Waiting()
    waiting("importing")
    waiting("planning")
    with waiting.apart():
        assert shown.getvalue() == f"importing ...{WIPED}planning ..."
        sys.stdout.write("said by the user's code\n")
        sys.stderr.write("and to stderr\n")
    assert shown.getvalue() == f"importing ...{WIPED}planning ...{WIPED}said by the user's code\nand to stderr\n"


def test_an_exception_takes_the_line_away(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    waiting = Waiting()
    waiting("importing")
    with pytest.raises(ZeroDivisionError), waiting.apart():
        raise ZeroDivisionError
    assert shown.getvalue() == f"importing ...{WIPED}"


@pytest.mark.parametrize(("file", "quiet"), [(io.StringIO(), False), (Terminal(), True)])
def test_elsewhere_and_where_quiet_is_wished_nothing_is_said(monkeypatch, file, quiet):
    monkeypatch.setattr(sys, "stderr", file)
    waiting = Waiting(quiet=quiet)
    waiting("importing")
    with waiting.apart():
        sys.stdout.write("no result\n")
    assert file.getvalue() == "no result\n"
