"""The findings for people: one page of HTML, and tables for a terminal."""

from stillwatch.report.page import render_report
from stillwatch.report.terminal import Explanation, Truth, print_explanation, print_findings

__all__ = ["Explanation", "Truth", "print_explanation", "print_findings", "render_report"]
