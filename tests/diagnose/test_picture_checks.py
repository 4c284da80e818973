"""Findings about pictures and about mistakes: on measurements that have the disease, and on healthy ones."""

from dataclasses import replace

import numpy as np
import pytest

from shoal.diagnose import Case, findings, judge, next_step
from shoal.diagnose.checks import mistakes, pictures
from shoal.interval import Interval
from shoal.measurements import (
    ColumnClue,
    ConfusedPair,
    DataFaults,
    ErrorWithout,
    Measurements,
    Mistakes,
    OddPictures,
    PictureFaults,
    PicturePair,
    RepeatedPictures,
    SureMistake,
    TwoSample,
)

from .cases import errors

SOUND = errors(train=0.05, dev=0.06, references={"trivial": 0.5})
NONE = PictureFaults((), (), (), (0.1, 0.5))
DATA = DataFaults("shuffled")


def span(value, half):
    return Interval(value, max(value - half, 0.0), value + half)


def seen(faults=NONE, found=None, measured=SOUND, target=0.05, data=DATA):
    judged = judge(measured, target)
    case = Case(measured, judged, measured=Measurements(data=replace(data, pictures=faults), mistakes=found))
    listed = findings(case)
    return {finding.code: finding for finding in listed}, next_step(case, listed)


def repeated(exact=30, near=20, share=0.05, expected=0.001, part="dev", **more):
    pair = PicturePair(3, 7, 1.5, "b/3.png", "a/7.png")
    given = {"near_pairs": (pair,), "share": span(share, 0.01), "expected": span(expected, 0.0005), "disagreeing": 0.0, **more}
    return replace_faults(repeated=(RepeatedPictures(part, 1000, exact, near, expected, **given),))


def replace_faults(**changes):
    return PictureFaults(**{"repeated": (), "blank": (), "saturated": (), "usual_saturation": (0.1, 0.5), **changes})


def test_repeated_pictures_are_counted_named_and_weighed():
    cost = ErrorWithout(50, span(0.06, 0.01), span(0.075, 0.01), Interval(0.015, 0.005, 0.025))
    found, step = seen(repeated(cost=cost, disagreeing=0.02))
    finding = found["SH312"]
    assert (finding.severity, finding.outcome) == ("high", "found")
    assert (
        "50 of 1,000 dev pictures are among the training pictures, 5.0 % (4.0 % to 6.0 %): 30 to the last byte and 20 but for little"
        in finding.text
    )
    assert "by chance it would be 0.1 % (0.1 % to 0.1 %), about 1." in finding.text and "2.0 % have another target" in finding.text
    assert "Without them the dev error is 7.5 % (6.5 % to 8.5 %) instead of 6 %, a change of 1.5 % (0.5 % to 2.5 %)" in finding.text
    assert "b/3.png is a/7.png" in finding.text and finding.evidence["dev_pairs"] == [["b/3.png", "a/7.png", 1.5]]
    assert finding.evidence["dev_change_without"] == [0.015, 0.005, 0.025]
    assert step.startswith("Pictures are in train and another part: remove the copies")


def test_pictures_that_are_alike_by_nature_are_no_copies():
    assert "SH312" not in seen(repeated(exact=0, near=50, expected=0.045))[0]
    assert seen(repeated(exact=50, near=0, expected=0.045))[0]["SH312"].severity == "note"
    assert "SH312" not in seen(repeated(exact=50, near=0, expected=0.045, disagreeing=0.5))[0]


def test_few_copies_matter_less_and_test_counts_as_well():
    few = RepeatedPictures("test", 10_000, 8, 0, 0.0, share=Interval(0.0008, 0.0003, 0.0016), expected=Interval(0.0, 0.0, 0.0002))
    finding = seen(replace_faults(repeated=(few,)))[0]["SH312"]
    assert finding.severity == "medium" and "8 of 10,000 test pictures" in finding.text and "about" not in finding.text


def test_blank_pictures_are_named_with_what_they_cost():
    cost = ErrorWithout(4, span(0.06, 0.01), span(0.05, 0.01), Interval(-0.01, -0.02, -0.002))
    blank = (OddPictures("train", 1000, 2, (1, 5), ("1.png", "5.png")), OddPictures("dev", 1000, 4, (9,), ("9.png",), cost=cost))
    finding = seen(replace_faults(blank=blank))[0]["SH313"]
    assert finding.severity == "low" and finding.gain == pytest.approx(0.01)
    assert "2 of 1,000 train pictures (0.2 %) and 4 of 1,000 dev pictures (0.4 %) are blank" in finding.text
    assert "1.png, 5.png, 9.png" in finding.text and "a change of -1 % (-2 % to -0.2 %)" in finding.text
    many = (OddPictures("train", 1000, 20, (1,)),)
    assert seen(replace_faults(blank=many))[0]["SH313"].severity == "medium"
    assert "SH313" not in seen(replace_faults(blank=(OddPictures("train", 1000, 0),)))[0]


def test_clipped_pictures_count_where_they_are_more_than_a_few():
    clipped = OddPictures("train", 1000, 30, (4,), ("4.png",), Interval(0.03, 0.02, 0.042))
    finding = seen(replace_faults(saturated=(clipped,)))[0]["SH314"]
    assert "30 of 1,000 train pictures (3.0 %), more than 50 % of the pixels" in finding.text and "at most 10.0 %" in finding.text
    natural = OddPictures("train", 14_275, 87, (4,), ("4.png",), Interval(0.0061, 0.0049, 0.0075))  # as in a third of CIFAR-10
    assert "SH314" not in seen(replace_faults(saturated=(natural,)))[0]


def test_without_pictures_these_checks_do_not_apply():
    found = {finding.code: finding for finding in findings(Case(SOUND, judge(SOUND, 0.05), measured=Measurements(data=DATA)))}
    assert {found[code].outcome for code in ("SH312", "SH313", "SH314", "SH111", "SH112")} == {"not applicable"}
    assert "SH307" not in found and found["SH304"].text.startswith("Train or dev has fewer than 20 rows")


def test_with_pictures_checks_of_columns_do_not_apply_and_say_why():
    found, _ = seen()
    assert {found[code].outcome for code in ("SH304", "SH305", "SH307", "SH308", "SH309")} == {"not applicable"}
    assert "no column" in found["SH307"].text and "SH312" in found["SH304"].text
    assert not set(found) & {check.code for check in (*pictures.CHECKS, *mistakes.CHECKS)} - {"SH111", "SH112"}


def pair(between=40, wrong=200, low=0.12):
    return ConfusedPair("4", "9", between - 10, 10, (400, 380), Interval(between / wrong, low, 0.3), span(between / 780, 0.01))


def test_the_most_confused_classes_are_named_in_both_directions():
    found = Mistakes("dev", 4000, 200, 45, (pair(), ConfusedPair("3", "5", 12, 8, (400, 350), span(0.1, 0.05), span(0.03, 0.01))))
    finding = seen(found=found)[0]["SH111"]
    assert "'4' and '9' are taken for each other most: in 40 of 200 mistakes on dev, 20.0 % (12.0 % to 30.0 %)" in finding.text
    assert "'4' is answered with '9' in 30 of 400 rows, and the other way round in 10 of 380: together 5.1 %" in finding.text
    assert "Next come '3' and '5' (20)." in finding.text
    assert finding.gain == pytest.approx(0.01) and finding.evidence["4 / 9"] == [30, 10, 400, 380]


@pytest.mark.parametrize("worst", [pair(between=40, low=0.04), pair(between=4, wrong=10)], ids=["no more than others", "four mistakes"])
def test_mistakes_all_over_single_out_no_pair(worst):
    assert "SH111" not in seen(found=Mistakes("dev", 4000, 200, 45, (worst,)))[0]


def test_two_classes_have_one_pair():
    assert seen(found=Mistakes("dev", 4000, 200, 1, (pair(200, 200, 0.98),)))[0]["SH111"].outcome == "not applicable"


def test_sure_mistakes_are_named_and_a_model_without_any_is_healthy():
    mistake = SureMistake("cats/7.png", 7, "cat", "dog", 0.991, 0.004)
    found = Mistakes("dev", 4000, 200, 3, (), 3000, 12, span(0.004, 0.002), (mistake,))
    finding = seen(found=found)[0]["SH112"]
    assert "Of 3,000 dev rows of which the network is at least 90 % sure, 12 are wrong, 0.4 % (0.2 % to 0.6 %)" in finding.text
    assert "cats/7.png ('cat' answered with 'dog', 99.1 %)" in finding.text and finding.severity == "note"
    assert finding.evidence["rows"] == {"cats/7.png": ["cat", "dog", 0.991, 0.004]}
    assert "SH112" not in seen(found=replace(found, mistakes=(), sure_wrong=0))[0]
    assert seen(found=replace(found, mistakes=(), sure=0, sure_rate=None))[0]["SH112"].outcome == "not applicable"


def test_pictures_of_another_kind_have_a_remedy_for_pictures():
    test = TwoSample("train", "dev", (2000, 2000), span(0.95, 0.02), 1e-9, (ColumnClue("brightness", 0.7, "dev pictures are brighter"),))
    data = DataFaults("separate tables", mismatch=test)
    measured = errors(train=0.05, train_dev=0.055, dev=0.3)
    found, step = seen(measured=measured, data=data)
    assert "dev pictures are brighter" in found["SH301"].text and "It costs 24.5 %" in found["SH301"].text
    assert "by augmentation (brightness)" in found["SH301"].advice and "--drop" not in found["SH301"].advice
    assert "training pictures like the dev pictures" in step
    blurred = replace(test, columns=(ColumnClue("sharpness", 0.7, "dev pictures are blurrier"),))
    assert "augmentation" not in seen(measured=measured, data=replace(data, mismatch=blurred))[0]["SH301"].advice


def test_a_weak_model_of_pictures_is_no_sign_of_wrong_labels():
    weak = errors(train=0.55, dev=0.6, references={"trivial": 0.9})
    assert "SH310" not in seen(measured=weak, data=replace(DATA, label_noise=span(0.3, 0.05)))[0]
    noisy = errors(train=0.3, dev=0.33, references={"trivial": 0.9})
    assert seen(measured=noisy, data=replace(DATA, label_noise=span(0.29, 0.05)))[0]["SH310"].outcome == "found"
    assert np.isfinite(weak.parts["dev"].error.value)
