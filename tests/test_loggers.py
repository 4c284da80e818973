"""What TensorBoard and MLflow are told of a run, read back; and that nothing is trained where they cannot be told."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

import shoal
from shoal import live_recording
from shoal.errors import NotLogged
from shoal.live_record import LIVE, LiveRecord, write_live
from shoal.loggers import log_run, logged, logger_problems
from shoal.loggers.settings import curves_of, scores_of, settings_of
from shoal.progress import Event
from shoal.saved_run import read_record

from .cli.command import inside
from .cli.command import shoal as command
from .report.example_run import classification

RUN = classification(6, points=30)
FINISHED = next(trial for trial in RUN.trials if trial.status == "finished")


def events_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Scalars of an event file by tag, read frame by frame as TensorFlow's format has them: length, checksum, bytes, checksum."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event as Written  # pyright: ignore[reportAttributeAccessIssue]

    def masked(content: bytes) -> int:
        found = crc32c(content)
        return (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    (path,) = folder.glob("events.out.tfevents.*")
    content, place, found = path.read_bytes(), 0, defaultdict(list)
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        body = content[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", content, place + 12 + length)[0] == masked(body)
        event = Written.FromString(body)
        for value in event.summary.value:
            found[value.tag].append((event.step, value.simple_value))
        place += 16 + length
    return found


def test_tensorboard_has_a_run_for_each_trial_with_its_curves_settings_and_score(tmp_path: Path):
    told: list[Event] = []
    log_run(RUN, {"tensorboard": tmp_path}, told.append)
    assert {path.name for path in (tmp_path / RUN.name).iterdir() if path.is_dir()} == {
        f"trial-{trial.number:03}" + "-retrained" * (trial.purpose == "retrain") for trial in RUN.trials
    }
    found = events_of(tmp_path / RUN.name / f"trial-{FINISHED.number:03}")
    points = list(zip(FINISHED.trace.steps, FINISHED.trace.dev_loss, strict=True))
    assert found["loss/dev"] == [(step, pytest.approx(loss, rel=1e-6)) for step, loss in points]
    assert found["best_dev_loss"] == [(FINISHED.best_step, pytest.approx(FINISHED.score))]
    assert {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"} <= found.keys()
    scores = events_of(tmp_path / RUN.name)
    assert scores["score/test_accuracy"] == [(0, pytest.approx(RUN.scores["test"]["accuracy"].value))]
    assert (told[-1].stage, told[-1].done, told[-1].trials) == ("logging", len(RUN.trials), len(RUN.trials))
    log_run(RUN, {"tensorboard": tmp_path}, told.append)
    assert (tmp_path / f"{RUN.name}-2").is_dir()  # events of two runs do not mix


def test_tensorboards_own_reader_reads_it(tmp_path: Path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is 50 MB and not installed for the tests"
    )
    log_run(RUN, {"tensorboard": tmp_path}, lambda event: None)
    read = accumulators.EventAccumulator(str(tmp_path / RUN.name / f"trial-{FINISHED.number:03}")).Reload()
    losses = [(each.step, each.value) for each in read.Scalars("loss/dev")]
    assert losses == [(s, pytest.approx(v, rel=1e-6)) for s, v in zip(FINISHED.trace.steps, FINISHED.trace.dev_loss, strict=True)]


@pytest.mark.parametrize("scheme", ["sqlite:///{}/m.db", "{}/folder"])
def test_mlflow_has_the_run_its_report_and_a_child_for_each_trial(tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("mlflow", reason="mlflow-skinny brings 30 packages and is not installed for the tests")
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log_run(RUN, {"mlflow": scheme.format(tmp_path)}, lambda event: None)
    client = MlflowClient(tracking_uri=scheme.format(tmp_path))
    found = client.search_runs([client.get_experiment_by_name("shoal").experiment_id])
    children = {each.info.run_name: each for each in found if "mlflow.parentRunId" in each.data.tags}
    (whole,) = (each for each in found if "mlflow.parentRunId" not in each.data.tags)
    assert len(children) == len(RUN.trials) and {each.info.status for each in found} == {"FINISHED"}
    child = children[f"trial-{FINISHED.number:03}"]
    history = client.get_metric_history(child.info.run_id, "loss/dev")
    points = zip(FINISHED.trace.steps, FINISHED.trace.dev_loss, strict=True)
    assert [(each.step, each.value) for each in history] == [(step, pytest.approx(loss)) for step, loss in points]
    assert child.data.params["learning_rate"] == str(FINISHED.recipe.learning_rate)
    assert whole.data.metrics["test_accuracy"] == pytest.approx(RUN.scores["test"]["accuracy"].value)
    report = client.download_artifacts(whole.info.run_id, "report.html", str(tmp_path))
    assert "High variance" in Path(report).read_text()
    assert not (tmp_path / "mlruns").exists()


LOOKS = """
import os
assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"

class MlflowClient:
    def __init__(self, tracking_uri):
        raise SystemExit(f"asked {tracking_uri}")
"""
"""A stand-in for MLflow that looks at the environment when it is loaded."""

WRITES = """
from tests.report.example_run import classification
from shoal.loggers import mlflow
mlflow.write(classification(1), "x", print)
"""


def test_mlflows_telemetry_is_off_before_it_is_loaded(tmp_path: Path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").touch()
    (tmp_path / "mlflow" / "tracking.py").write_text(LOOKS)
    places = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": places, "MLFLOW_DISABLE_TELEMETRY": "false"}
    shown = subprocess.run([sys.executable, "-c", WRITES], capture_output=True, text=True, env=environment)
    assert shown.stderr == "asked x\n"


def test_what_fails_is_said_and_leaves_the_run_alone(monkeypatch: pytest.MonkeyPatch):
    def refuse(run, place, told):
        raise ConnectionError("no answer\nfrom the server")

    monkeypatch.setitem(logged.WRITERS, "mlflow", refuse)
    with pytest.warns(NotLogged, match="not written to mlflow: no answer from the server"):
        log_run(RUN, {"mlflow": "http://localhost:1"}, lambda event: None)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mlflow": "https://me:secret@host"}, "holds no password"),
        ({"mlflow": "ftp://host"}, "received 'ftp'"),
        ({"mlflow": "http://[::1"}, "is an address"),
        ({"tensorboard": __file__}, "is a folder"),
    ],
)
def test_a_place_that_cannot_be_is_named(options: dict[str, str], complaint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logged, "find_spec", lambda name: object())
    (problem,) = logger_problems(options)
    assert complaint in str(problem) and "secret" not in str(problem)


def test_a_logger_that_is_not_installed_is_said_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logged, "find_spec", lambda name: None)
    for job in ("improve", "search", "train"):
        recipe = ["--recipe", tmp_path / "recipe.toml"] if job == "train" else []
        shoal.write_recipe(shoal.Recipe(), tmp_path / "recipe.toml")
        shown = command(job, "example:wine", *recipe, "--tensorboard", tmp_path / "t", "--mlflow", "m", "--out", tmp_path / "run")
        said = " ".join(shown.stderr.split())
        assert shown.exit_code == 2 and "pip install 'shoal[tensorboard]'" in said and "pip install 'shoal[mlflow]'" in said
        assert inside(tmp_path) == {"recipe.toml"}
        (tmp_path / "recipe.toml").unlink()


def test_a_run_shows_itself_while_it_works_and_is_written_to_loggers_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[LiveRecord] = []
    monkeypatch.setattr(live_recording, "write_live", lambda record, folder: seen.append(record) or write_live(record, folder))
    monkeypatch.setattr(live_recording, "SECONDS_BETWEEN", 0.05)
    monkeypatch.setattr(live_recording, "SHARE", 1.0)
    monkeypatch.setattr(logged, "find_spec", lambda name: object())
    monkeypatch.setitem(logged.WRITERS, "mlflow", lambda run, place, told: 1 / 0)
    places = ["--tensorboard", tmp_path / "events", "--mlflow", "http://localhost:1"]
    shown = command("search", "example:wine", "--budget", "2trials", *places, "--out", tmp_path / "run", "--quiet")
    assert shown.exit_code == 0 and re.search("warning: The run was not written to mlflow: division by zero", shown.stderr)
    assert events_of(tmp_path / "events" / "run")["score/test_error"][0][1] >= 0
    assert seen[0].source == "example:wine" and seen[0].split and seen[0].plan is None and not seen[-1].ended
    record = read_record(tmp_path / "run")
    assert seen[-1].plan == record.plan and [trial.score for trial in seen[-1].trials] == [trial.score for trial in record.trials]
    assert not (tmp_path / "run" / LIVE).exists() and 'id="plotly"' in (tmp_path / "run" / "report.html").read_text()


def test_series_are_thinned_to_their_ends_and_holes_left_out():
    trace = replace(FINISHED.trace, steps=tuple(range(1, 101)), dev_loss=(None, *range(99)), train_loss=(), dev_error=(), gradient_norm=())
    ((name, points),) = curves_of(replace(FINISHED, trace=trace), 30)
    assert name == "loss/dev" and len(points) <= 31 and points[0] == (5, 3) and points[-1] == (100, 98)
    assert settings_of(RUN.recipe)["clip_norm"] == "none" and scores_of(RUN)["test_error_low"] == RUN.scores["test"]["error"].low
