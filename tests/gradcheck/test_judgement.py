"""Verdicts on backward passes by hand, deliberately broken ones among them, against closed forms of the relative error."""

import copy
import re

import numpy as np
import pytest
from scipy import stats

from shoal.gradcheck import check_gradients
from shoal.gradcheck.judgement import combined

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(20, 4)), RNG.integers(2, size=(20, 1)).astype(float)
L2, MEAN = 0.5, 1 / 20
NETWORK = {
    "b1": RNG.normal(size=4) / 4,
    "b2": RNG.normal(size=1) / 4,
    "w1": RNG.normal(size=(4, 4)) / 2,
    "w2": RNG.normal(size=(4, 1)) / 2,
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost(p):
    """Cross-entropy of a network with one hidden layer, and its L2 term."""
    z = sigmoid(X @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
    return float(np.mean(np.logaddexp(0, z) - Y * z) + L2 / 2 * (np.sum(p["w1"] ** 2) + np.sum(p["w2"] ** 2)))


def backward(p, l2=L2, of_sigmoid=lambda z, a: a * (1 - a), mean=MEAN):
    """The backward pass by hand, with the places where one may slip as arguments."""
    z1 = X @ p["w1"] + p["b1"]
    a1 = sigmoid(z1)
    dz2 = (sigmoid(a1 @ p["w2"] + p["b2"]) - Y) * mean
    dz1 = dz2 @ p["w2"].T * of_sigmoid(z1, a1)
    return {"w2": a1.T @ dz2 + l2 * p["w2"], "b2": dz2.sum(0), "w1": X.T @ dz1 + l2 * p["w1"], "b1": dz1.sum(0)}


def changed(name, change):
    return lambda p: (right := backward(p)) | {name: change(right[name])}


def one_entry(array):
    array = array.copy()
    array[2, 1] += 0.05
    return array


def swapped(array):
    return array[[1, 0, 2, 3]]


SLIPS = {
    "mean forgotten": (lambda p: backward(p, mean=1.0), None, None),
    "a factor too many": (changed("w1", lambda dw: 2 * dw), "w1", r"w1 is 2 times the difference"),
    "1 % too large": (changed("w2", lambda dw: 1.01 * dw), "w2", r"w2 is 1\.01 times the difference"),
    "wrong sign": (changed("w2", lambda dw: -dw), "w2", r"w2 has the wrong sign"),
    "wrong sign of a single number": (changed("b2", lambda db: -db), "b2", r"b2 has the wrong sign"),
    "transposed": (changed("w1", lambda dw: dw.T), "w1", r"w1 is transposed"),
    "L2 forgotten": (lambda p: backward(p, l2=0.0), "w1", r"w2 differs by -0\.5 times the parameter itself: .*L2.* missing"),
    "L2 twice": (lambda p: backward(p, l2=2 * L2), "w1", r"w2 differs by 0\.5 times the parameter itself: .*the cost lacks"),
    "bias forgotten": (changed("b1", np.zeros_like), "b1", r"b1 is 0, though the cost depends on it"),
    "bias not summed right": (changed("b1", lambda db: db + 0.01), "b1", r"b1 differs by 0\.01 everywhere"),
    "derivative of the sigmoid at z, not a": (lambda p: backward(p, of_sigmoid=lambda z, a: z * (1 - z)), "w1", None),
    "derivative of the sigmoid forgotten": (lambda p: backward(p, of_sigmoid=lambda z, a: 1.0), "w1", None),
    "rows swapped": (changed("w1", swapped), "w1", None),
    "one entry only": (changed("w1", one_entry), "w1", None),
}


def test_a_correct_backward_pass_by_hand_passes():
    check = check_gradients(cost, NETWORK, gradient=backward)
    assert (check.verdict, check.ok, check.checked, check.total) == ("correct", True, 25, 25)
    assert check.relative_error < 1e-9 and check.kinks == () and check.causes == ()
    assert list(check.arrays) == ["b1", "b2", "w1", "w2"]
    assert str(check).startswith("Gradient check: correct, relative error ") and "All 25 coordinates were compared." in str(check)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_broken_backward_pass_is_wrong_and_its_array_is_named(slip):
    broken, array, cause = SLIPS[slip]
    check = check_gradients(cost, NETWORK, gradient=broken)
    assert check.verdict == "wrong" and not check.ok
    if array is not None:
        assert check.worst[0].parameter == array and check.arrays[array] > 1e-3
    if cause is not None:
        assert re.search(cause, " ".join(check.causes)), check.causes
    assert str(check.worst[0]) in str(check) and "correct the backward pass" in str(check)


def test_the_entry_that_is_wrong_is_named_with_both_slopes():
    check = check_gradients(cost, NETWORK, gradient=SLIPS["one entry only"][0])
    (entry,) = check.worst
    assert (str(entry), entry.index) == ("w1[2, 1]", (2, 1))
    np.testing.assert_allclose([entry.analytic - entry.numeric, entry.numeric], [0.05, backward(NETWORK)["w1"][2, 1]], rtol=1e-6)
    np.testing.assert_allclose(entry.relative_error, 0.05 / (abs(entry.analytic) + abs(entry.numeric)), rtol=1e-6)


TWO_SCALES = {"a": np.array([1.0, 2.0]), "b": np.array([1.0, -1.0])}


def test_an_array_too_small_to_show_in_the_whole_is_still_seen():
    """The gradient of b is a factor 2 off, and 1e-9 of the whole gradient."""
    check = check_gradients(
        lambda p: 0.5 * np.sum(p["a"] ** 2) + 1e-9 * np.sum(p["b"] ** 2), TWO_SCALES, gradient=lambda p: {"a": p["a"], "b": 4e-9 * p["b"]}
    )
    assert check.relative_error < 1e-7
    assert check.verdict == "look again" and "wrong for b" in check.explanation


def test_the_worst_of_several_checks_speaks_for_all():
    """The verdict counts before the relative error: what is correct here has the larger one."""

    def checked(share_a, share_b):
        return check_gradients(
            lambda p: 0.5 * np.sum(p["a"] ** 2) + 1e-9 * np.sum(p["b"] ** 2),
            TWO_SCALES,
            gradient=lambda p: {"a": (1 + share_a) * p["a"], "b": (1 + share_b) * 2e-9 * p["b"]},
        )

    correct, small = checked(1e-7, 0.0), checked(0.0, 1.0)
    assert correct.ok and correct.relative_error > small.relative_error
    both = combined({"softmax": correct, "huber": small})
    assert (both.verdict, both.relative_error, both.checked, both.total) == ("look again", small.relative_error, 8, 8)
    assert both.arrays["huber: b"] > 0.3 and both.arrays["softmax: b"] < 1e-3 and both.worst[0].parameter == "huber: b"
    assert "worst loss is huber" in str(both).replace("\n  ", " ")
    assert combined({"softmax": correct}) is correct


# With d = (1 + s) dtheta the relative error is s / (2 + s), whatever the cost.
@pytest.mark.parametrize(
    ("share", "verdict", "said"),
    [(1e-8, "correct", "is the slope"), (1e-6, "look again", "Probably correct"), (1e-4, "look again", "Probably a mistake"),
     (0.1, "wrong", "1.1 times"), (1.0, "wrong", "2 times"), (-1.0, "wrong", "is 0"), (-2.0, "wrong", "wrong sign")],
)  # fmt: skip
def test_the_relative_error_and_its_verdict_are_those_of_the_closed_form(share, verdict, said):
    w = np.linspace(-1, 2, 7)
    check = check_gradients(lambda w: np.sum(np.sin(w)), w, gradient=lambda w: (1 + share) * np.cos(w))
    np.testing.assert_allclose(check.relative_error, abs(share) / (1 + abs(1 + share)), rtol=1e-6, atol=1e-9)
    assert check.verdict == verdict and said in str(check).replace("\n  ", " ")


def test_two_gradients_of_0_agree():
    check = check_gradients(lambda w: 3.0, np.ones(3), gradient=np.zeros_like)
    assert (check.relative_error, check.verdict) == (0.0, "correct")


BIG = {"a": RNG.normal(size=(60, 50)), "b": RNG.normal(size=3), "c": RNG.normal()}


def big_cost(p):
    return 0.5 * np.sum(p["a"] ** 2) + 0.5 * np.sum(p["b"] ** 2) + 0.5 * p["c"] ** 2


def test_a_sample_holds_some_of_every_array_and_states_what_it_leaves_open():
    check = check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100)
    assert (check.ok, check.checked, check.total) == (True, 100, 3004) and list(check.arrays) == ["a", "b", "c"]
    drawn, share = re.search(r"(\d+) of them drawn at random: if ([\d.]+) % of", check.confidence).groups()  # type: ignore[union-attr]
    wrong = round(float(share) / 100 * 3004)
    # SciPy's hypergeometric distribution: the chance that none of the wrong ones is drawn
    assert stats.hypergeom.pmf(0, 3004, wrong, int(drawn)) == pytest.approx(0.05, abs=0.005)
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100) == check
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100, seed=1).checked == 100


@pytest.mark.parametrize("name", ["b", "c"])
def test_a_sample_finds_a_small_array_that_is_wrong(name):
    check = check_gradients(big_cost, BIG, gradient=lambda p: p | {name: 0 * p[name]}, samples=10)
    assert check.worst[0].parameter == name and check.verdict == "wrong"


def test_no_limit_compares_every_coordinate():
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=None).checked == 3004


def test_what_the_caller_gave_is_not_changed_even_by_functions_that_change_their_argument():
    point = {"w": np.ones(3, np.float32), "n": np.arange(2), "name": "adam", "list": [np.float64(2.0), (0.5,)]}
    before = copy.deepcopy(point)

    def greedy(p):
        value = float(np.sum(p["w"] ** 2) * p["n"][1] + p["list"][0] * p["list"][1][0])
        assert p["w"].dtype == np.float64 and p["name"] == "adam"
        p["w"][:] = 0
        p["n"][:] = 7
        return value

    def gradient(p):
        slope = {"w": 2 * p["w"], "n": p["n"], "name": "adam", "list": [p["list"][1][0], (p["list"][0],)]}
        p["list"] = None
        return slope

    check = check_gradients(greedy, point, gradient=gradient)
    assert check.ok and check.total == 5 and set(check.arrays) == {"w", "list.0", "list.1.0"}
    assert str(point) == str(before) and point["w"].dtype == np.float32
