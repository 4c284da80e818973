"""The evidence on the page: every picture has its numbers, its words and its table, and findings lead to where they are seen."""

import json
import re
from dataclasses import replace

import pytest

from shoal.measurements import ColumnClue, DataFaults, Measurements
from shoal.records import Run
from shoal.report import report_page
from shoal.report.column_clues import column_marks
from shoal.report.confusion import confusion_figures, drawn_classes
from shoal.report.evidence import NAMES, SEEN_IN
from shoal.report.figures import figures
from shoal.report.learning_curve_figure import learning_curve_figure, learning_curve_words
from shoal.report.signals_figure import signal_figures

from .example_evidence import PIXEL, ROWS, confusion, law, learning_curve, of_labels, signals, with_evidence
from .example_run import HOSTILE, classification, hostile, regression
from .test_html import Page

CLASSIFIED = ("confusion-dev", "confusion-test", "reliability-dev", "reliability-test")
REGRESSED = ("predicted-dev", "predicted-test", "residuals-dev", "residuals-test")
SHARED = ("learning-curve", "signals-activation", "signals-gradient", "signals-update", "signals-units")


def of_classes(count: int) -> Run:
    return with_evidence(replace(classification(8), classes=tuple(f"class {at}" for at in range(count))))


@pytest.mark.parametrize(("run", "own"), [(classification(8), CLASSIFIED), (regression(), REGRESSED)], ids=["classification", "regression"])
def test_every_picture_of_the_evidence_is_drawn_with_words_a_caption_and_a_table(run, own):
    page = Page(report_page(with_evidence(run)))
    plots = {attributes["data-figure"]: attributes for _, attributes in page.tags if attributes.get("class") == "plot"}
    assert {*SHARED, *own} <= set(plots) and not ({*CLASSIFIED, *REGRESSED} - {*own}) & set(plots)
    assert all(len(plots[name]["aria-label"] or "") > 40 for name in (*SHARED, *own))
    drawn = json.loads(page.scripts["figures"])
    assert all(trace.get("x") or trace.get("z") for name in (*SHARED, *own) for trace in drawn[name]["data"])
    regions = {attributes.get("aria-label") for _, attributes in page.tags if attributes.get("role") == "region"}
    tables = {"Error against training rows", "Signals in numbers", "Rows that are most wrong"}
    tables |= {"Residuals along the prediction"} if own is REGRESSED else {"Classes answered rightly", "Reliability of the probabilities"}
    assert tables <= regions


def test_without_measurements_there_is_no_such_picture_and_one_line_says_why_there_is_no_curve():
    run = replace(classification(8), measured=Measurements())
    assert not {*SHARED, *CLASSIFIED, *REGRESSED} & set(figures(run))
    assert "Not measured: one recipe was trained" in report_page(run) and "shoal diagnose RUN --measure" in report_page(run)
    assert "stopped" in learning_curve_words(replace(run, stopped="Stopped after 3 trials."))
    few = replace(run, split=replace(run.split, rows={"train": 120, "dev": 40}))
    assert learning_curve_words(few) == "Not measured: 120 training rows are too few to take parts of."


def test_the_learning_curve_is_extrapolated_by_its_law_with_the_band():
    figure = learning_curve_figure(with_evidence(classification(8)))
    assert figure is not None
    band, seeds, _, means, line, marks = figure.data
    assert seeds["y"][:2] == pytest.approx([100 * (law(1000) - 0.002), 100 * (law(1000) + 0.002)], rel=1e-4)
    assert means["x"] == list(ROWS) and means["y"] == pytest.approx([100 * law(rows) for rows in ROWS], rel=1e-4)
    assert (line["x"][-1], line["y"][-1]) == (32_000, pytest.approx(100 * law(32_000), rel=1e-4))
    assert marks["x"] == [16_000, 32_000] and band["y"][0] == pytest.approx(100 * (law(1000) - 0.004), rel=1e-4)
    assert figure.layout["shapes"][0]["x0"] == 8000
    # a record without the law's points has its three numbers
    old = with_evidence(classification(8))
    old = replace(old, measured=replace(old.measured, learning_curve=replace(learning_curve(), law=())))
    again = learning_curve_figure(old)
    assert again is not None and again.data[4]["y"][-1] == pytest.approx(100 * law(32_000), rel=1e-4)


def test_signals_are_medians_over_the_networks_by_layer_and_step():
    run = with_evidence(classification(8))
    drawn = {figure.name: figure for figure in signal_figures(run)}
    # two of the three networks have gradients three times as large
    assert [trace["y"] for trace in drawn["signals-gradient"].data] == [
        [9.0 * 0.5**layer * (at + 1) for at in range(4)] for layer in range(3)
    ]
    assert "4.5 (1.5 to 4.5 over the networks)" in drawn["signals-gradient"].data[1]["text"][0]
    assert all(figure.layout["yaxis"]["type"] == "log" for name, figure in drawn.items() if name != "signals-units")
    bars = [trace for trace in drawn["signals-units"].data if trace["type"] == "bar"]
    # no unit is like another, so that there is no bar for it
    assert [bar["y"] for bar in bars] == [[20.0, 10.0], [40.0, 20.0]]


def test_signals_of_one_moment_are_drawn_along_the_layers():
    run = with_evidence(classification(8))
    once = {figure.name: figure for figure in signal_figures(replace(run, measured=replace(run.measured, signals=signals(1))))}
    assert once["signals-update"].data[0]["y"] == [0.01, 0.005, 0.0025]
    assert once["signals-update"].layout["xaxis"]["ticktext"] == ["layer 1", "layer 2", "output"]


def test_a_confusion_matrix_holds_the_shares_of_each_class_and_hits_apart_from_mistakes():
    run = of_classes(3)
    dev = confusion_figures(run)[0]
    hits, mistakes = dev.data
    found = run.measured.confusion["dev"]
    for truth, answer, rows in found.mistakes:
        assert mistakes["z"][truth][answer] == pytest.approx((100 * rows / found.rows[truth]) ** 0.5, rel=1e-4)
        assert hits["z"][truth][answer] is None and mistakes["text"][truth][answer] == str(rows)
    assert [hits["z"][label][label] for label in range(3)] == pytest.approx([100 * 400 / rows for rows in found.rows], rel=1e-4)
    assert mistakes["z"][0][0] is None
    # a browser would draw the text of an empty cell, too, over that of the other colour
    assert (hits["text"][0][0], mistakes["text"][0][0], hits["text"][0][1]) == ("400", "", "")


def test_several_labels_have_a_line_each_forecasts_instead_of_rows_and_mistakes_by_label():
    run = of_labels(classification(8))
    page = Page(report_page(run))
    text = " ".join(page.texts)
    assert "Answers label by label" in {attributes.get("aria-label") for _, attributes in page.tags if attributes.get("role") == "region"}
    for counts in ("big yes Dev 60 20 15 1,890 75.0 % (66.0 to 84.0)", "round yes Test 60 20 30 1,875"):
        assert counts in re.sub(r"\s+", " ", text)
    assert "over 6,000 forecasts" in text and "Labels: red, big, round." in text and "Classes of the target" not in text
    assert figures(run)["reliability-dev"].layout["xaxis"]["title"]["text"] == "probability of a label, %"
    assert re.search(r"row 0\s+red\s+no\s+yes\s+99.0 %", text), "a mistake names its label"
    assert "confusion-dev" not in figures(run)


def test_hostile_labels_stay_text():
    page = Page(report_page(of_labels(hostile(), (HOSTILE, "big", "round"), HOSTILE)))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_of_hundreds_of_classes_those_with_most_mistakes_are_drawn_and_all_are_in_the_table():
    run = of_classes(300)
    shown, found = drawn_classes(run), run.measured.confusion["dev"]
    involved = [sum(rows for truth, answer, rows in found.mistakes if label in (truth, answer)) for label in range(300)]
    assert len(shown) == 30 and min(involved[label] for label in shown) >= sorted(involved)[-31]
    assert len(confusion_figures(run)[0].data[0]["z"]) == 30 and "texttemplate" not in confusion_figures(run)[0].data[0]
    page = report_page(run)
    assert "30 of 300 classes" in page and len(page.encode()) < 3_000_000
    assert len(re.findall(r'<th scope="row">class \d+</th><td class="n" data-key', page)) == 300


def test_reliability_has_both_temperatures_where_one_was_fitted_and_says_the_calibration_error():
    run = with_evidence(classification(8))
    drawn = figures(run)
    dev, test = drawn["reliability-dev"], drawn["reliability-test"]
    assert len(dev.data) == 5 and len(test.data) == 3
    before, after = dev.data[1], dev.data[3]
    assert before["y"][5] == pytest.approx(45.0) and after["y"][5] == pytest.approx(56.0)
    assert after["error_y"]["array"][5] == pytest.approx(4.0) and dev.data[4]["y"][:20] == [100] * 20
    assert "&gt;50K" in dev.layout["xaxis"]["title"]["text"]
    text = " ".join(Page(report_page(run)).texts)
    assert "Dev: the expected calibration error is 3.0 % (95 % interval 2.0 % to 4.0 %) over 2,000 rows, and was 12.0 %" in text
    assert "The temperature was fitted on these rows." in text and text.count("The temperature was fitted") == 1


def test_residuals_are_drawn_as_a_density_where_there_are_many_rows_and_one_by_one_where_there_are_few():
    drawn = figures(with_evidence(regression()))
    assert drawn["predicted-dev"].data[0]["type"] == "heatmap" and drawn["predicted-test"].data[0]["type"] == "scatter"
    assert drawn["predicted-dev"].data[0]["z"][3][3] == pytest.approx(103**0.5, rel=1e-4)
    middle = drawn["residuals-dev"].data[3]
    assert middle["y"] == [0.0, 1e3, 2e3, 3e3, 4e3] and drawn["residuals-dev"].data[-1]["y"] == [0, 0]
    run = with_evidence(regression()).measured.residuals["dev"]
    assert drawn["residuals-dev"].data[0]["y"][7] == pytest.approx(run.truth[7] - run.predicted[7], rel=1e-4)


def test_wrong_rows_show_their_values_or_their_pictures():
    text = " ".join(Page(report_page(with_evidence(classification(8)))).texts)
    assert ">99.9 %" in text and "<0.1 %" in text and "77516" in text and "row 11" in text
    page = Page(report_page(with_evidence(classification(8), picture=True)))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 12 and images[0]["src"] == f"data:image/png;base64,{PIXEL}" and images[0]["alt"] == "Picture row 0"


def test_columns_say_what_the_tests_found_and_lead_to_the_finding_that_says_more():
    run = with_evidence(classification(8))
    marks = column_marks(run)
    [age] = marks["age"]
    assert (age.words, age.strength, age.code) == ("differs between train and dev", 0.42, "SH301")
    assert age.text == "is 38 in train and 45 in dev (medians)"
    # SH302 was not found, so that there is nothing to lead to
    assert marks["row_id"][0].code == ""
    page = report_page(run)
    assert '<a href="#finding-SH301">Differs between train and dev</a>' in page
    assert "area under the ROC curve of 0.71 (95 % interval 0.69 to 0.73)" in page


def test_a_clue_about_several_columns_stands_at_each_and_one_about_none_below_the_table():
    run = classification(8)
    clues = (ColumnClue("age + fnlwgt", 1.0, "income is their sum"), ColumnClue("mean brightness", 0.5, "it is 100 and 120"))
    run = replace(run, measured=Measurements(data=DataFaults(derived=clues)))
    assert set(column_marks(run)) == {"age", "fnlwgt", "mean brightness"}
    assert "<strong>mean brightness</strong>" in report_page(run)


def test_findings_lead_to_the_places_that_show_them_and_no_link_leads_nowhere():
    for run in (with_evidence(classification(8)), with_evidence(regression()), classification(8)):
        page = Page(report_page(run))
        ids = {attributes["id"] for _, attributes in page.tags if attributes.get("id")}
        links = {attributes["href"] for tag, attributes in page.tags if tag == "a" and (attributes.get("href") or "").startswith("#")}
        assert {(link or "").removeprefix("#") for link in links} <= ids
    linked = report_page(with_evidence(classification(8)))
    for anchor in ("columns", "figure-confusion-dev", "figure-learning-curve", "figure-signals-units"):
        assert f'Seen in <a href="#{anchor}">' in linked
    assert {name for places in SEEN_IN.values() for name in places} <= set(NAMES)


def test_hostile_strings_in_the_evidence_stay_text():
    run = with_evidence(hostile(), HOSTILE)
    page = Page(report_page(run))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert sum(HOSTILE in text for text in page.texts) >= 60
    drawn = json.loads(page.scripts["figures"])
    for name in CLASSIFIED:
        assert not re.search(r"<(?!/?b>|br>)|%\{(?!text)", json.dumps(drawn[name])), name


def test_confusion_of_the_example_is_what_it_says():
    assert confusion(300).left_out == 0 and len(confusion(300).mistakes) == 1500
