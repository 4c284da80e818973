"""The pages of the method: recipes are recipes, commands exist, topics and figures have a place, formulas are set, figures are true."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from shoal.explanations import ITEMS
from shoal.recipe import Recipe
from shoal.space_file import read_space

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [*sorted((DOCS / "method").glob("*.md")), DOCS / "augmentation.md"]
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MEASURED = re.compile(r"<!-- measured: (?P<topic>[\w-]+) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str


BLOCKS = [Block(page.stem, match["language"], match["text"]) for page in PAGES for match in FENCE.finditer(page.read_text())]
of = {
    language: [pytest.param(block, id=f"{block.page}-{number}") for number, block in enumerate(BLOCKS) if block.language == language]
    for language in ("toml", "python")
}


def test_every_block_is_of_a_language_that_is_checked_here():
    assert {block.language for block in BLOCKS} <= {"toml", "python", "bash", "math", "text"}
    assert len(of["toml"]) >= 15 and len(of["python"]) >= 3 and sum(block.language == "math" for block in BLOCKS) >= 25


@pytest.mark.parametrize("block", of["toml"])
def test_a_recipe_of_a_page_is_a_recipe_and_a_space_a_space(block: Block, tmp_path: Path):
    settings = tomllib.loads(block.text)
    if any(isinstance(value, dict) for value in settings.values()):
        (tmp_path / "space.toml").write_text(block.text)
        assert read_space(tmp_path / "space.toml").families
    else:
        assert settings and Recipe.from_dict(settings)


@pytest.mark.parametrize("block", of["python"])
def test_the_python_of_a_page_runs(block: Block, tmp_path: Path):
    result = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def test_every_command_of_a_page_is_one_of_shoals():
    from shoal.cli import app

    known = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups}
    lines = [line for block in BLOCKS if block.language == "bash" for line in block.text.splitlines()]
    used = {line.split()[1] for line in lines if line.startswith("shoal ")}
    assert used and used <= known


def test_every_topic_has_one_place_and_every_place_was_measured():
    places = [match["topic"] for page in PAGES for match in MEASURED.finditer(page.read_text())]
    sources = "".join(path.read_text() for path in sorted((DOCS / "measuring").glob("*.py")))
    topics = re.findall(r'^@topic\("([\w-]+)"', sources, re.MULTILINE)
    assert sorted(places) == sorted(topics)
    empty = [match["topic"] for page in PAGES for match in MEASURED.finditer(page.read_text()) if "|" not in match["text"]]
    assert empty == []


def test_every_item_of_sections_1_to_7_that_an_explanation_names_has_a_heading():
    headings = re.findall(r"^## (\d\.\d)", "\n".join(page.read_text() for page in PAGES), re.MULTILINE)
    assert set(ITEMS) - {number for number in ITEMS if number[0] not in "1234567"} <= set(headings)


SECTION = re.compile(r"^## (?P<number>\d\.\d) .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = [pytest.param(found[0], id=found["number"]) for page in PAGES for found in SECTION.finditer(page.read_text())]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_technique_has_its_idea_its_formula_when_to_use_it_how_and_a_figure(section: str):
    if section.startswith(("## 2.3", "## 4.7", "## 6.3")):  # why, not what: pictures of techniques that have sections of their own
        assert "](figure:" in section
        return
    missing = {"idea": "**What.**", "formula": "```math", "when": "**When.**", "figure": "](figure:"}
    if section.startswith(("## 2.6", "## 2.7", "## 7.2")):  # early stopping is a rule; two techniques in one, each with its own words
        missing = {name: sign for name, sign in missing.items() if name in ("figure", "when")}
    if section.startswith("## 1.4"):
        del missing["formula"]
    assert [name for name, sign in missing.items() if sign not in section] == []
    assert any(f"```{language}" in section for language in ("toml", "bash", "python"))


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch):
    """The modules that ``python docs/measured.py`` and the hooks of the site find beside themselves."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module


figures = measuring


FIGURE = re.compile(r"^!\[(?P<caption>.+)\]\(figure:(?P<name>[\w-]+)\)$", re.MULTILINE)


def test_every_figure_is_shown_once_with_a_caption(figures):
    written = [page for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "findings"]  # whose pictures are of runs
    shown = [found["name"] for page in written for found in FIGURE.finditer(page.read_text())]
    assert sorted(shown) == sorted(figures("figures.registry").modules())
    assert "".join(page.read_text() for page in PAGES).count("](figure:") == len(shown)  # each in a line of its own, with words
    assert not (DOCS / "images" / "method").exists()


def test_a_figure_is_drawn_again_when_a_source_that_it_depends_on_changes_and_only_then(figures):
    cache = figures("figures.cache")
    sources = {path.relative_to(DOCS.parent).as_posix() for path in cache.sources_of("algorithms")}
    assert {"docs/figures/drawing.py", "docs/measuring/surfaces.py", "src/shoal/optimisers.py", "src/shoal/training.py"} <= sources
    assert not any(source.startswith("src/shoal/report") or source == "src/shoal/__init__.py" for source in sources)


CHEAP = ("split-sizes", "softmax-bars", "losses", "scales", "averages", "decays", "identity-norms", "adam", "momentum", "dropout-networks")


@pytest.fixture(scope="module")
def drawn():
    """The figures that take no training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        return {name: importlib.import_module("figures.registry").draw(name) for name in CHEAP}


def curves(drawing, panel: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The labelled lines of a panel."""
    lines = drawing.panels[panel].get_lines()
    return {line.get_label(): (np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)) for line in lines}


@pytest.mark.parametrize("name", CHEAP)
def test_a_figure_is_svg_of_the_pages_own_colours_and_letters(name: str, drawn):
    text = drawn[name].html(name).replace("{{caption}}", "What it shows.")
    tree = ElementTree.fromstring(text)
    pictures = tree.findall(".//{http://www.w3.org/2000/svg}svg[@role='img']")
    assert len(pictures) == len(drawn[name].panels)
    assert all(picture.find("{http://www.w3.org/2000/svg}title").text for picture in pictures)  # type: ignore[union-attr]
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers)) and set(re.findall(r'href="#([^"]+)"', text)) <= set(identifiers)
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", text)  # it asks for nothing
    assert not re.search("DejaVu|#01010[0-9]|#0072b2", text) and len(text) < 200_000


def test_signals_through_layers_of_c_times_the_identity_are_c_to_the_power_of_the_layer(drawn):
    for panel in (0, 1):
        found = curves(drawn["identity-norms"], panel)
        for c in (1.5, 1.0, 0.5):
            layer, norm = found[f"W = {c:g} I"]
            np.testing.assert_allclose(norm, c**layer, rtol=1e-5)


def test_averages_are_the_weighted_sums_that_the_recursion_stands_for(drawn, figures):
    theta = figures("figures.algorithms").temperatures()
    _, values = curves(drawn["averages"], 0)["β = 0.98, about 50 days"]
    for t in (1, 2, 40, 365):
        weights = 0.98 ** np.arange(t)[::-1]
        assert values[t - 1] == pytest.approx((weights * theta[:t]).sum() / weights.sum())


def test_decays_are_their_formulas(drawn):
    by_epochs, by_share = (curves(drawn["decays"], panel) for panel in (0, 1))
    epoch, rate = by_epochs["inverse_time, decay_rate = 0.2"]
    np.testing.assert_allclose(rate, 1 / (1 + 0.2 * epoch), rtol=1e-5)
    epoch, rate = by_epochs["staircase, decay_factor = 0.5"]
    np.testing.assert_allclose(rate, 0.5 ** (epoch // 10), rtol=1e-5)
    epoch, rate = by_share["cosine"]
    np.testing.assert_allclose(rate, (1 + np.cos(np.pi * epoch / 50)) / 2, atol=1e-5)


def test_parts_are_a_fifth_up_to_10_000_rows_and_a_hundredth_at_a_million(figures):
    split = figures("figures.problem")
    assert [split.part_size(rows) / rows for rows in (1_000, 10_000, 1_000_000)] == [0.2, 0.2, 0.01]
    assert split.half_width(0.1, np.array([10_000]))[0] == pytest.approx(stats.norm.ppf(0.975) * 0.003, rel=1e-3)


def test_softmax_of_the_four_logits_stands_on_the_bars(drawn):
    written = [text.get_text() for text in drawn["softmax-bars"].panels[1].texts]
    assert written == ["0.842", "0.042", "0.002", "0.114"]


def test_of_uniform_learning_rates_nine_tenths_are_in_the_last_decade_and_of_betas_half_are_above_0_99(figures):
    tuning = figures("figures.tuning")
    np.testing.assert_allclose(tuning.share_per_decade("linear"), [0.0009, 0.009, 0.09, 0.9], atol=0.01)
    np.testing.assert_allclose(tuning.share_per_decade("log"), 0.25, atol=0.02)
    shares = [(tuning.betas(way) > 0.99).mean() for way in ("linear", "log", "log_one_minus")]
    np.testing.assert_allclose(shares, [0.09, 0.09, 0.5], atol=0.02)


def test_adams_first_steps_are_alpha_if_corrected_and_up_to_six_and_a_half_times_that_if_not(drawn):
    found = curves(drawn["adam"], 1)
    np.testing.assert_allclose(found["bias-corrected"][1], 1, rtol=1e-4)
    assert found["not bias-corrected"][1][0] == pytest.approx(0.1 / np.sqrt(0.001), rel=1e-3)
    assert 6 < found["not bias-corrected"][1].max() < 6.6


def test_n_random_trials_hold_one_of_the_best_with_the_probability_of_the_course(figures):
    assert figures("figures.tuning").at_least_one(0.05, np.array([59]))[0] == pytest.approx(0.9515, abs=1e-3)


def test_signs_between_words_and_plus_minus_are_operators(figures):
    set_ = figures("formulas").formula
    assert re.search(r"<mi>dev[^<]+error</mi><mo>&#x02212;</mo>", set_(r"\text{dev error} - \text{train error}"))
    assert "<mo>&#x000B1;</mo>" in set_(r"p \pm 2")


@pytest.mark.parametrize("block", [pytest.param(block, id=block.page) for block in BLOCKS if block.language == "math"])
def test_a_formula_is_set_as_mathml(block: Block, figures):
    text = figures("formulas").block(block.text, "math", "formulas", {}, None)
    lines = ElementTree.fromstring(text)
    assert len(lines) == len(block.text.strip().splitlines()) and "\\" not in "".join(lines.itertext())
    assert len(lines.findall(".//{http://www.w3.org/1998/Math/MathML}math")) == len(lines)


def test_an_interval_is_the_paired_t_interval_of_scipy(measuring):
    comparison = measuring("measuring.comparison")
    rng = np.random.default_rng(0)
    base, variant = rng.normal(size=8), rng.normal(0.3, size=8)
    low, high = stats.ttest_rel(variant, base).confidence_interval(0.95)
    assert comparison.half_width(variant - base) == pytest.approx((high - low) / 2)
    for shift in (-3.0, -low + 1e-6, -high - 1e-6, 0.0):  # just outside and just inside the interval
        moved = variant + shift
        assert comparison.is_clear(moved, base) == (stats.ttest_rel(moved, base).pvalue < 0.05)


def test_on_the_bowl_plain_descent_takes_the_steps_of_its_closed_form(measuring):
    surfaces = measuring("measuring.surfaces")
    bowl, rate = surfaces.SURFACES[0], 0.015
    walked = surfaces.paths(bowl, [Recipe(optimiser="gradient_descent", learning_rate=rate)], count=60)[0]
    turn = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6)], [-np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    along_and_across = turn @ np.array(bowl.start) * (1 - rate * np.array([1, 100])) ** np.arange(61)[:, None]
    np.testing.assert_allclose(walked @ turn.T, along_and_across, atol=1e-5)


def test_only_what_stands_between_the_markers_of_a_topic_is_replaced(measuring):
    page = "before\n<!-- measured: a -->\nold\n<!-- end -->\n<!-- measured: b -->\n<!-- end -->\n"
    assert measuring("measured").replaced(page, "a", "new") == page.replace("\nold\n", "\n\nnew\n\n")
