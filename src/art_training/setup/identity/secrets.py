"""Secrets are masked before anything is kept: in parameters, in command lines and in the differences of source files.

A secret is known by its name (`password`, `api_key`, ...) or by its form (`ghp_...`, `sk-...`, a JWT, a private key, a
password in an address). What has neither cannot be known; it should not stand in code.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

MASK = "***"

# A name is a secret's when it has one of these words whole: `DB_PASSWORD`, `dbPassword`, `--api-key`.
_SURE = (
    r"pass(?:wor[dt]|wd|phrase|code)|pwd|secrets?|credentials?|authori[sz]ation|connection[_-]?string|"
    r"(?:api|access|private|account|encryption|signing|service)[_-]?key"
)
# These are secrets at the end of a name, unless it speaks of text: `hf_token` is one, `pad_token` is not.
_LIKELY = r"(?:auth)?[_-]?token|auth|bearer|cookie|dsn"
_NAME = re.compile(rf"(?:^|.*[\W_])(?:(?P<sure>{_SURE})(?:[\W_\d].*)?|(?P<likely>{_LIKELY})[\W_\d]*)$", re.IGNORECASE)
_OF_TEXT = re.compile(
    r"(?:^|[\W_])(?:pad|padding|eos|bos|sos|cls|sep|mask|unk|unknown|special|start|end|stop|begin|class|image|text|audio|"
    r"max|min|num|n|per|last|first|next|prev|new|extra|prompt|target|source|label|is|no|use|by)[\W_]*token[\W_\d]*$",
    re.IGNORECASE,
)
# What every such name has in it: a quick look that spares the others the long one.
_HINT = r"pass|pwd|secret|credential|authori|string|key|token|auth|bearer|cookie|dsn"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_FORMS = re.compile(
    r"""
      -----BEGIN\ [A-Z0-9 ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z0-9 ]*PRIVATE\ KEY-----|\Z)
    | \b(?:gh[opusr]_|github_pat_|glpat-|hf_|npm_|pypi-|dckr_pat_|r8_|lin_api_|shpat_|dop_v1_)[A-Za-z0-9_\-]{16,}
    | \bsk-[A-Za-z0-9_\-]{16,}
    | \b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}
    | \b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b
    | \bxox[a-z]-[A-Za-z0-9\-]{10,}
    | \bAIza[A-Za-z0-9_\-]{30,}
    | \bya29\.[A-Za-z0-9_\-]{20,}
    | \bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}
    | \beyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*)*
    | https://hooks\.slack\.com/services/[A-Za-z0-9/_\-]+
    """,
    re.VERBOSE | re.DOTALL,
)
_ADDRESS = re.compile(
    r"(?P<scheme>(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{0,30}://)(?P<user>[^\s/:@'\"]{0,300})(?P<password>:[^\s/'\"]{0,999})?@"
)
_HEADER = re.compile(
    r"(?P<kept>\bauthorization\b[\"']?\s*[:=,]\s*(?:[frb]{0,2}[\"'])?)"
    r"(?P<secret>(?:(?:bearer|basic|digest|token|negotiate|apikey)\s+)?[^\s\"']+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)(?P<secret>[A-Za-z0-9._~+/\-]{8,}=*)", re.IGNORECASE)
_QUOTED = r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_ASSIGNED = re.compile(
    rf"""
    (?<![\w.]) (?<![\w.]-) (?=[\w.\-]{{0,99}}?(?:{_HINT})) (?P<name>[A-Za-z_][\w.\-]*) (?P<quote>["']?) \]?
    (?P<between>
        (?: \s*:\s*[A-Za-z_][\w.\[\], |]*)? \s*(?::=|=>|[:=]) [\s(+]*? (?=[frbuFRBU]{{0,2}}["'])
      | [ \t]*(?::=|=>|[:=])[ \t]*
      | \s*,\s*(?=["'])
    )
    (?P<value>[frbuFRBU]{{0,2}}(?:{_QUOTED})|[^\s"']\S*?(?=[,;)\]}}"']*(?:\s|$)))
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_OPTION = re.compile(rf"(?P<kept>(?<!\S)--?(?P<name>[A-Za-z][\w\-]*)[ \t]+)(?P<value>(?:{_QUOTED})|[^\s\-][^\s]*)")


def mask(text: str) -> str:
    """`text` with `***` in place of what is, or may be, a secret. Where it is unclear, it is masked."""
    text = _FORMS.sub(MASK, text)
    text = _ADDRESS.sub(_without_password, text)
    text = _HEADER.sub(rf"\g<kept>{MASK}", text)
    text = _BEARER.sub(rf"\g<kept>{MASK}", text)
    text = _OPTION.sub(_option, text)
    return _ASSIGNED.sub(_assignment, text)


def mask_mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with `***` in place of secrets: of whole values whose key names one, and of texts anywhere."""
    return {key: MASK if _hides(key, value) else _masked(value) for key, value in values.items()}


def mask_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """A command line with `***` in place of secrets; `--token XYZ` and `--token=XYZ` alike."""
    shown: list[str] = []
    hide = False
    for argument in arguments:
        option = argument.startswith("-")
        shown.append(MASK if hide and not option else mask(argument))
        hide = option and "=" not in argument and is_secret_name(argument.lstrip("-"))
    return tuple(shown)


def is_secret_name(name: str) -> bool:
    """Whether what has this name should not be read by others."""
    spaced = _CAMEL.sub("_", name)
    found = _NAME.match(spaced)
    return found is not None and (found["sure"] is not None or not _OF_TEXT.search(spaced))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return mask_mapping(cast("Mapping[str, Any]", value))
    if isinstance(value, list | tuple):
        return [_masked(item) for item in cast("list[Any]", value)]
    return value


def _hides(key: str, value: Any) -> bool:
    # A number, a flag or nothing under such a name is a setting: `use_auth=True`, `token=None`.
    if value is None or isinstance(value, bool) or not is_secret_name(key):
        return False
    return not isinstance(value, int | float) or re.search(_SURE, key, re.IGNORECASE) is not None


def _without_password(found: re.Match[str]) -> str:
    if found["password"]:
        return f"{found['scheme']}{found['user']}:{MASK}@"
    # Before the host of a web address stands a token; before that of another one, a user.
    return f"{found['scheme']}{MASK}@" if found["scheme"].lower().startswith("http") else found[0]


def _assignment(found: re.Match[str]) -> str:
    if not is_secret_name(found["name"]) or (found["between"].strip() == "," and not found["quote"]):
        return found[0]
    return found[0][: found.start("value") - found.start()] + _hidden(found["value"])


def _option(found: re.Match[str]) -> str:
    return found["kept"] + _hidden(found["value"]) if is_secret_name(found["name"]) else found[0]


def _hidden(value: str) -> str:
    """The mask in the quotes that the value had."""
    quote = next((mark for mark in ('"""', "'''", '"', "'") if value.lstrip("frbuFRBU").startswith(mark)), "")
    return f"{quote}{MASK}{quote}"
