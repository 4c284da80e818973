"""Measures each technique of the method on real tables and writes what came out into the pages of docs/method.

    python docs/measured.py [FOLDER] [--only TOPIC] [--seeds 8]

FOLDER holds the tables that no package brings along: spambase, letter, california_housing and magic_telescope as NAME.csv.gz. What needs
a table that is not there is left as it is. A page holds ``<!-- measured: TOPIC -->`` and ``<!-- end -->`` where a topic belongs.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from measuring import algorithms, normalisation, outputs, problem, regularisation, setting_up, tuning  # noqa: F401  they register their topics
from measuring.networks import SEEDS, Shelf
from measuring.topics import TOPICS

from shoal import devices

PAGES = Path(__file__).resolve().parent / "method"


def main() -> None:
    """Measure the topics that were asked for, page by page."""
    parser = argparse.ArgumentParser(description="Measure the techniques of the method and write the tables of its pages.")
    parser.add_argument("folder", type=Path, nargs="?", help="where the tables are that no package brings along")
    parser.add_argument("--only", help="one topic", choices=sorted(TOPICS), metavar="TOPIC")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="paired seeds")
    options = parser.parse_args()
    shelf, begun = Shelf(options.folder), time.perf_counter()
    devices.start()
    for name in [options.only] if options.only else TOPICS:
        if missing := [table for table in TOPICS[name].tables if not shelf.has(table)]:
            say(f"{name}: left as it is, for want of {', '.join(missing)}")
            continue
        since = time.perf_counter()
        markdown = TOPICS[name].measure(shelf, options.seeds)
        page = page_of(name)
        page.write_text(replaced(page.read_text(), name, markdown))
        say(f"{name}: {time.perf_counter() - since:.1f} s, into {page.name}")
    say(f"all: {time.perf_counter() - begun:.0f} s")


def page_of(topic: str) -> Path:
    """The page that has a place for a topic."""
    return next(page for page in sorted(PAGES.glob("*.md")) if f"<!-- measured: {topic} -->" in page.read_text())


def replaced(text: str, topic: str, markdown: str) -> str:
    """The text of a page with something else between a topic's markers.

    Example:
        >>> replaced("<!-- measured: l1 -->\\nold\\n<!-- end -->\\n", "l1", "new")
        '<!-- measured: l1 -->\\n\\nnew\\n\\n<!-- end -->\\n'
    """
    place = re.compile(rf"(<!-- measured: {re.escape(topic)} -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda found: f"{found[1]}\n{markdown}\n\n{found[2]}", text)


def say(text: str) -> None:
    """A line on the terminal."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
