"""Photographs of Plotly figures by a headless browser, for the pages of the findings (needs chromium)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#8a8a8a"
"""Two of the colours of Okabe and Ito (2008), which colour-blind readers can tell apart."""


def line(colour: str, dash: str = "solid", width: float = 2.2) -> dict[str, Any]:
    """How a line looks."""
    return {"color": colour, "dash": dash, "width": width}


def photograph(figure: go.Figure, path: Path, height: int, top: int = 90) -> None:
    """The figure as a PNG, by a headless browser; ``top`` is the room for titles."""
    figure.update_layout(
        template="plotly_white", width=1000, height=height, font={"family": "DejaVu Sans, Arial, sans-serif", "size": 13},
        margin={"l": 70, "r": 20, "t": top, "b": 60}, title_font_size=16, paper_bgcolor="white",
    )  # fmt: skip
    if figure.layout.to_plotly_json().get("legend", {}).get("x") is None:
        figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0}, margin_b=120)
    figure.update_annotations(font_size=13)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.write_html(page, config={"displayModeBar": False, "staticPlot": True})
        page.write_text(page.read_text().replace("<body>", '<body style="margin:0">'))
        switches = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size=1000,{height}",
            "--virtual-time-budget=8000",
        ]
        subprocess.run(
            ["chromium", *switches, f"--user-data-dir={folder}/profile", f"--screenshot={path}", page.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
