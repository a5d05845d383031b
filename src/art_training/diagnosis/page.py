"""A diagnosis as a page: one file, without scripts, that shows the same wherever it is opened."""

from collections.abc import Iterable, Iterator
from html import escape

from art_training.diagnosis.account import counts, evidence, explained, near, unjudged
from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding

_SAID = {"healthy": "healthy", "findings": "something is wrong", "inconclusive": "inconclusive"}
_STYLE = """
:root { color-scheme: light dark; --text: #1c2128; --dim: #5d6673; --back: #ffffff; --card: #f5f6f8; --line: #d9dde3;
  --error: #b3261e; --warning: #8a5a00; --info: #2a5db0; --healthy: #1f7a3d; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --dim: #9aa4b2; --back: #14171c; --card: #1d2229;
  --line: #333a45; --error: #ff8a80; --warning: #f0b95a; --info: #8ab4f8; --healthy: #7fd69a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 56rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 0; } p { margin: .4rem 0; }
section { background: var(--card); border: 1px solid var(--line); border-left: .35rem solid var(--line);
  border-radius: .3rem; padding: .8rem 1rem; margin: 1rem 0; }
section.error { border-left-color: var(--error); } section.warning { border-left-color: var(--warning); }
section.info { border-left-color: var(--info); }
.error .kind, .findings { color: var(--error); } .warning .kind, .inconclusive { color: var(--warning); }
.info .kind { color: var(--info); } .healthy { color: var(--healthy); }
.dim, dt { color: var(--dim); } .kind { font-weight: 600; }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .8rem; margin: .6rem 0 0; } dd { margin: 0; }
dd, li, p, td { overflow-wrap: anywhere; } code { font: .92em ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; } td { padding: .15rem .8rem .15rem 0; vertical-align: top; }
td.code { white-space: nowrap; overflow-wrap: normal; }
"""


def as_html(diagnosis: Diagnosis) -> str:
    """The account as one self-contained page."""
    return "\n".join(_page(diagnosis)) + "\n"


def _page(diagnosis: Diagnosis) -> Iterator[str]:
    subject, status = escape(diagnosis.subject), diagnosis.status
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{subject}: {_SAID[status]}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f'<h1>{subject}: <span class="{status}">{_SAID[status]}</span></h1>'
    yield f'<p class="dim">{escape(counts(diagnosis))}</p>'
    if diagnosis.inconclusive:
        yield f'<p class="inconclusive">inconclusive: {escape(diagnosis.inconclusive)}</p>'
    names = {one.code: one.name for one in diagnosis.judged}
    for finding, symptoms in explained(diagnosis):
        yield from _section(finding, names.get(finding.code, ""), symptoms)
    yield from _rest(diagnosis)
    yield "</body></html>"


def _section(finding: Finding, name: str, symptoms: Iterable[Finding]) -> Iterator[str]:
    kind = finding.severity.value
    yield f'<section class="{kind}" id="{finding.code}">'
    yield f'<h2><span class="kind">{finding.code} {kind}</span> {escape(name)} <span class="dim">{finding.category}</span></h2>'
    yield f"<p>{escape(finding.message)}</p><dl>"
    where = f"<code>{escape(near(finding.where))}</code>" if finding.where else ""
    told = (("where", where), ("evidence", escape(evidence(finding))), ("confirmed", escape(finding.confirmed_by)))
    for what, text in (*told, ("remedy", escape(finding.remedy))):
        if text:
            yield f"<dt>{what}</dt><dd>{text}</dd>"
    for one in symptoms:
        yield f"<dt>explains</dt><dd>{one.code}: {escape(one.message)}</dd>"
    yield "</dl></section>"


def _rest(diagnosis: Diagnosis) -> Iterator[str]:
    reasons = unjudged(diagnosis)
    if reasons:
        yield f"<details><summary>Not judged: {sum(map(len, reasons.values()))}</summary><table>"
        yield from (f"<tr><td>{', '.join(codes)}</td><td>{escape(why)}</td></tr>" for why, codes in reasons.items())
        yield "</table></details>"
    for state, title in (("not applicable", "Not applicable"), ("passed", "Passed")):
        ended = [one for one in diagnosis.judged if one.state == state]
        if ended:
            yield f"<details><summary>{title}: {len(ended)}</summary><table>"
            yield from (
                f'<tr><td class="code">{one.code}</td><td>{escape(one.name)}</td><td>{escape(one.reason)}</td></tr>'
                for one in ended
            )
            yield "</table></details>"
    for one in diagnosis.judged:
        if one.state == "ignored":
            yield f'<p class="dim">ignored: {one.code} {escape(one.name)}: {escape(one.reason or "no reason is given")}</p>'
