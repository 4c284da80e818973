"""The search benchmark: its contestants are given the same, and its ratios are what they say."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error

from shoal.parameters import Choice, Range

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PEERS = BENCHMARKS / "search_peers"


def loaded(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script as a module; its neighbours can be imported, as they can where it is run."""
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return loaded("search_benchmark", BENCHMARKS / "search.py", monkeypatch)


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return loaded("task", PEERS / "task.py", monkeypatch)


def rows(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(count, 4)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(np.int32)


@pytest.fixture
def small_task(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    X, y = rows(rng, 400)
    X_dev, y_dev = rows(rng, 200)
    path = tmp_path / "task.npz"
    np.savez(path, X_train=X, y_train=y, X_dev=X_dev, y_dev=y_dev, classes=2, source="", target="")
    return path


def test_a_peer_is_compared_where_shoal_reaches_its_best_loss(search: ModuleType) -> None:
    peer = search.Outcome(100.0, 101.0, 128, 900, ((10.0, 0.5), (60.0, 0.3), (90.0, 0.35)))
    ours = search.Outcome(8.0, 15.0, 128, 900, ((2.0, 0.4), (6.0, 0.29), (8.0, 0.2)))
    comparison = search.Comparison.of(ours, peer)
    assert comparison.to_finish == pytest.approx(12.5)
    assert comparison.to_loss == pytest.approx(10.0)  # 60 s to 0.3 against 6 s to 0.29


def test_a_loss_that_shoal_never_reaches_misses_the_goal(search: ModuleType) -> None:
    peer = search.Outcome(100.0, 101.0, 128, 900, ((60.0, 0.1),))
    ours = search.Outcome(1.0, 2.0, 128, 900, ((1.0, 0.2),))
    assert search.Comparison.of(ours, peer).to_loss == 0
    contestant = search.PEERS[0]
    text, reached = search.verdict("letter", {"cold": [ours], "warm": [ours], "long": [ours], contestant.name: [peer]}, [contestant])
    assert not reached
    assert "a peer's best loss was never reached (goal 8): MISSED" in text


def test_a_loss_that_only_the_long_search_reaches_counts_by_its_own_clock(search: ModuleType) -> None:
    peer = search.Outcome(100.0, 101.0, 128, 900, ((90.0, 0.1),))
    short, long = search.Outcome(1.0, 2.0, 128, 900, ((1.0, 0.2),)), search.Outcome(4.0, 5.0, 512, 3600, ((1.0, 0.2), (3.0, 0.1)))
    contestant = search.PEERS[0]
    text, reached = search.verdict("letter", {"cold": [short], "warm": [short], "long": [long], contestant.name: [peer]}, [contestant])
    assert reached
    assert "at least 30.0 times faster to a peer's best loss" in text


def test_the_goals_are_judged_with_a_cold_cache_and_against_the_worst_peer(search: ModuleType) -> None:
    first, second = search.PEERS[:2]
    slow, fast = (search.Outcome(seconds, seconds, 128, 900, ((seconds, 0.3),)) for seconds in (200.0, 95.0))
    cold, warm = (search.Outcome(seconds, seconds, 128, 900, ((seconds, 0.3),)) for seconds in (10.0, 5.0))
    ours = {"cold": [cold], "warm": [warm], "long": [cold]}
    assert search.verdict("letter", {**ours, first.name: [slow]}, [first])[1]
    text, reached = search.verdict("letter", {**ours, first.name: [slow], second.name: [fast]}, [first, second])
    assert not reached
    assert "9.5 times faster to finish than the fastest peer" in text
    assert "19.0 with a warm one" in text


def test_rows_show_the_median_of_the_rounds(search: ModuleType) -> None:
    contestant = search.PEERS[0]
    rounds = {
        name: [search.Outcome(seconds, seconds, 128, 900, ((seconds, 0.3),)) for seconds in times]
        for name, times in (
            ("cold", (1.0, 1.0, 1.0)),
            ("warm", (0.5, 0.5, 0.5)),
            ("long", (4.0, 4.0, 4.0)),
            (contestant.name, (10.0, 30.0, 20.0)),
        )
    }
    assert search.row(contestant, rounds).endswith("20.0 / 40.0 / 5.0")


def test_the_dev_loss_is_that_of_scikit_learn(task: ModuleType, small_task: Path, tmp_path: Path) -> None:
    with np.load(small_task) as stored:
        X, y, X_dev, y_dev = (stored[name] for name in ("X_train", "y_train", "X_dev", "y_dev"))
    probability = LogisticRegression().fit(X, y).predict_proba(X_dev)
    given = {"source": "", "target": "", "trials": 1, "epochs": 1, "seed": 0, "variant": "", "began": 0.0, "curve": tmp_path / "c"}
    classes = task.Task(X, y, X_dev, y_dev, classes=2, result=tmp_path / "r", **given)
    assert classes.dev_loss(probability) == pytest.approx(log_loss(y_dev, probability))
    quantity = task.Task(X, X[:, 0], X_dev, X_dev[:, 0], classes=0, result=tmp_path / "r", **given)
    assert quantity.dev_loss(X_dev[:, 1]) == pytest.approx(mean_squared_error(X_dev[:, 0], X_dev[:, 1]))


def test_trials_are_compared_after_a_ninth_and_a_third(task: ModuleType) -> None:
    assert task.rungs(27) == (3, 9, 27)
    assert task.rungs(10) == (2, 4, 10)
    assert task.rungs(1) == (1,)


def test_shoal_searches_the_space_of_the_others(task: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = loaded("ours", PEERS / "ours.py", monkeypatch)
    space = ours.space(27)
    assert len(space.families) == 6  # 3 depths x 2 batch sizes, a program each
    ranges = {each.name: (each.low, each.high) for each in space.parameters if isinstance(each, Range)}
    choices = {each.name: each.values for each in space.parameters if isinstance(each, Choice)}
    assert ranges.pop("keep_prob") == tuple(sorted(1 - each for each in task.DROPOUT))
    assert ranges == {
        "learning_rate": task.LEARNING_RATE,
        "units": task.UNITS,
        "l2": task.LAMBDA,
        "beta1": task.BETA1,
        "beta2": task.BETA2,
    }
    assert choices == {"hidden_layers": (1, 2, 3), "batch_size": task.BATCH_SIZES}
    assert space.base.epochs == 27


@pytest.mark.skipif("SHOAL_BENCHMARKS" not in os.environ, reason="a peer takes long: set SHOAL_BENCHMARKS to run it")
@pytest.mark.parametrize(("program", "needs"), [("halving_sklearn.py", "sklearn"), ("optuna_torch.py", "optuna")])
def test_a_peer_tries_what_was_asked_and_notes_what_it_finds(program: str, needs: str, small_task: Path, tmp_path: Path) -> None:
    pytest.importorskip(needs)
    if needs == "optuna":
        pytest.importorskip("torch")
    curve, result = tmp_path / "curve.jsonl", tmp_path / "result.json"
    command = [sys.executable, str(PEERS / program), str(small_task), str(curve), str(result), "--trials", "9", "--epochs", "9"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    written = json.loads(result.read_text())
    losses = [loss for _, loss in map(json.loads, curve.read_text().splitlines())]
    assert written["trials"] == 9
    assert 9 < written["network_epochs"] < 9 * 9  # poor trials are stopped
    assert min(losses) < math.log(2)  # better than chance
