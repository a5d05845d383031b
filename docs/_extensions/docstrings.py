"""Docstrings write code as Markdown does, by indentation; here it becomes a literal block of reStructuredText."""

import re

_SECTION = re.compile(r"[A-Z]\w+:$")


def with_code_blocks(lines):
    """The lines of a docstring, with a `::` before each block of the running text that is indented by four."""
    result, section, inside = [], False, False
    for index, line in enumerate(lines):
        section = section or bool(_SECTION.match(line))
        if inside and line and not line.startswith(" "):
            inside = False
        before = lines[index - 1] if index else "x"
        if line.startswith("    ") and not before.strip() and not (section or inside):
            result += ["::", ""]
            inside = True
        result.append(line)
    return result


def _process(*arguments):
    lines = arguments[-1]
    lines[:] = with_code_blocks(lines)


def setup(app):
    app.connect("autodoc-process-docstring", _process, priority=400)  # before napoleon, which is at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
