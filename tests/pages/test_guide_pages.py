"""The pages of the documentation: every block of code is run, or parsed where it says why it is not; and what they say of shoal is so."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import shoal
from shoal.data.split import part_size
from shoal.default_space import default_batch_size, default_epochs
from shoal.diagnose import CHECKS
from shoal.loop.changes import REMEDIES
from shoal.saved_run import read_record

from .session import DOCS, ROOT, Session, blocks, check_command, check_toml, languages

PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
RUN_ELSEWHERE = [*(DOCS / "method").glob("*.md"), DOCS / "augmentation.md", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
"""Their Python and their commands are run by the tests of the method and of the README."""
RUN = [page for page in PAGES if page not in RUN_ELSEWHERE and any(block.language in ("bash", "python") for block in blocks(page))]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_of_a_language_that_is_run_or_checked_and_parses(page: Path):
    assert set(languages(page)) <= {"bash", "python", "toml", "text", "math"}
    assert len(blocks(page)) == len(languages(page))
    for block in blocks(page):
        if block.language == "bash":
            for line in block.lines:
                check_command(line)
        elif block.language == "toml":
            check_toml(block.text)
        elif block.language == "python":
            compile(block.text, name(page), "exec")


@pytest.mark.parametrize("page", [page for page in RUN if page.stem != "measurements"], ids=name)
def test_the_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    session = Session(tmp_path)
    for block in blocks(page):
        if block.reason is None:
            session.run(block)


def test_the_page_for_measurements_runs_and_explains_every_line_of_the_end_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = DOCS / "start" / "measurements.md"
    monkeypatch.chdir(tmp_path)
    session = Session(tmp_path)
    for block in blocks(page):
        if block.reason is None:
            session.run(block)
    record = read_record(Path("runs/measurements"))
    explained = set(re.findall(r"^(.+)\n:   ", page.read_text(), re.MULTILINE))
    assert {"target error", "shoal", *(gap.name for gap in record.verdict.gaps), *(each.name for each in record.baselines)} <= explained
    screen = next(printed for printed in session.printed if "Next step" in printed)
    bold = re.findall(r"\*\*(.+?)\*\*", page.read_text())
    assert {title for title in ("Next step", "RMSE", "Recipe", "Findings", "Recipe loop") if title in screen} <= set(bold)


def test_the_pages_that_are_run_are_those_of_the_guide():
    assert {"index.md", "faq.md", "how-to-choose.md"} <= {page.name for page in RUN}
    assert {page.name for page in RUN if page.parent.name == "start"} == {page.name for page in (DOCS / "start").glob("*.md")}


def test_how_to_choose_covers_every_finding_and_says_truly_what_the_loop_does():
    page = (DOCS / "how-to-choose.md").read_text()
    rows = re.findall(r"^\| \[(SH\d+)\]\(findings/(SH\d+)\.md\) (.+?) \| .+ \| (yes|no)\b.* \|$", page, re.MULTILINE)
    assert sorted((code, link, title) for code, link, title, _ in rows) == sorted((each.code, each.code, each.title) for each in CHECKS)
    assert {code for code, _, _, loop in rows if loop == "yes"} == {*REMEDIES, "SH101", "SH102"}


def test_how_to_choose_has_the_sizes_that_are_chosen():
    page = (DOCS / "how-to-choose.md").read_text().replace(",", "")
    rows = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)]
    assert len(rows) >= 4
    for rows_in_all, part, train, batch, epochs in rows:
        assert (part, train) == (part_size(rows_in_all), rows_in_all - 2 * part_size(rows_in_all))
        assert (batch, epochs) == (default_batch_size(train), default_epochs(train, default_batch_size(train)))


def test_the_page_of_benchmarks_names_every_command_that_measures():
    page = (DOCS / "benchmarks.md").read_text()
    named = re.findall(r"^\| `make ([\w-]+)` \|", page, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(named) <= set(targets)
    assert {target for target in targets if target.startswith("bench")} <= set(named)


def test_the_api_pages_have_every_public_name_once():
    pages = {page.stem: page.read_text() for page in (DOCS / "api").glob("*.md")}
    shown = [
        (place, heading)
        for text in pages.values()
        for place, heading in re.findall(r"^::: (\S+)\n    options:\n      heading: shoal\.(\w+)$", text, re.MULTILINE)
    ]
    assert sorted(heading for _, heading in shown) == sorted(shoal.__all__)
    for place, heading in shown:
        module, _, attribute = place.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is getattr(shoal, heading)
    linked = re.findall(r"^\| \[`(\w+)`\]\((\w+)\.md(?:#(\S+))?\) \|", pages["index"], re.MULTILINE)
    assert sorted(name for name, _, _ in linked) == sorted([*shoal.__all__, "averages"])
    for _, stem, place in linked:
        assert f"::: {place or 'shoal.averages'}\n" in pages[stem]


def test_every_page_but_those_of_the_findings_is_in_the_navigation():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert listed <= there
    assert {page for page in there - listed if not re.fullmatch(r"findings/SH\d+\.md", page)} == set()


def test_the_site_asks_no_other_host_for_anything(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    foreign_assets = importlib.import_module("own_assets").foreign_assets
    for asset in (
        '<script src="https://example.org/a.js">', "<img alt='' src='//example.org/a.png'>", '@import "https://example.org/a.css"',
        '<link rel="stylesheet" href="https://example.org/a.css">', "<style>a { background: url(http://example.org/a.png) }</style>",
    ):  # fmt: skip
        assert len(foreign_assets(asset)) == 1, asset
    assert foreign_assets('<a href="https://optuna.org">a link</a><link rel="canonical" href="https://example.org"><img src="a.png">') == []
    assert "docs/own_assets.py" in (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert not re.search(r"!\[[^\]]*\]\((?:https?:)?//", page.read_text()), page


def test_options_and_intervals_stay_on_one_line_and_code_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    unbroken = importlib.import_module("unbroken").unbroken
    assert "docs/unbroken.py" in (ROOT / "mkdocs.yml").read_text()
    for text in ("<code>shoal predict --out</code>", "a two-sided test - of rows", '<a href="a--b">-</a>', "x (1 or 2)", "pages/test_a.py"):
        assert re.sub(r"<span class=\"whole\">(--out)</span>", r"\1", unbroken(text)) == text
    for whole in ("--target-error", "-h", "(+0.10 ± 0.024)"):
        assert unbroken(f"<td>a {whole}, b</td>") == f'<td>a <span class="whole">{whole}</span>, b</td>'
    for left in ("<pre><code>a --b (1 ± 2) test_with_a_name_that_is_long</code></pre>", "<math><mo>(1 ± 2)</mo></math>"):
        assert unbroken(left) == left
    assert unbroken("<code>test_with_a_name_that_is_long</code>").replace("<wbr>", "") == "<code>test_with_a_name_that_is_long</code>"
