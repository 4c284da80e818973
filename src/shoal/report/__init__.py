"""A run as a page, on a terminal and as JSON."""

from shoal.report.comparison import comparison_json, comparison_page, comparison_text, write_comparison
from shoal.report.html import prepare_report, report_page, write_report
from shoal.report.ledger import ledger_text, steps_text
from shoal.report.live import Progress
from shoal.report.live_page import live_page, write_live_report
from shoal.report.notebook import run_html
from shoal.report.serving import WatchServer
from shoal.report.space import plan_text, space_text
from shoal.report.summary import as_json
from shoal.report.terminal import show_text, summary
from shoal.report.wording import refitted

__all__ = [
    "Progress",
    "WatchServer",
    "as_json",
    "comparison_json",
    "comparison_page",
    "comparison_text",
    "ledger_text",
    "live_page",
    "plan_text",
    "prepare_report",
    "refitted",
    "report_page",
    "run_html",
    "show_text",
    "space_text",
    "steps_text",
    "summary",
    "write_comparison",
    "write_live_report",
    "write_report",
]
