"""Reports: pages of figures, pictures and numbers, each one HTML file."""

from dover_plugin.reporting.html.build import comparison_report, score_report, timeline_report
from dover_plugin.reporting.html.page import Report, write_report

__all__ = ["Report", "comparison_report", "score_report", "timeline_report", "write_report"]
