"""The sections of a report, in the order in which a reviewer reads."""

from art_training.report.document import Section
from art_training.report.pictures import Album
from art_training.report.sections.baselines import baselines
from art_training.report.sections.data import data
from art_training.report.sections.final import final
from art_training.report.sections.findings import findings
from art_training.report.sections.limits import limits
from art_training.report.sections.reproduce import reproduce
from art_training.report.sections.story import story
from art_training.report.sections.verdict import verdict
from art_training.report.sections.winner import winner
from art_training.views.account import Account


def sections_of(account: Account) -> tuple[Section, ...]:
    """All sections that have something to say. Limits come last and know what the others could not show."""
    album = Album()
    early = (
        verdict(account),
        story(account, album),
        data(account, album),
        baselines(account),
        winner(account),
        findings(account),
        final(account),
        reproduce(account),
    )
    return tuple(section for section in (*early, limits(account, album)) if section is not None)
