"""The report: a project's account in one file, for reading and for print."""

from art_training.report.building import report_of
from art_training.report.html import as_html
from art_training.report.markdown import as_markdown

__all__ = ["as_html", "as_markdown", "report_of"]
