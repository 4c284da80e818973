"""What each command does with a run, from the first command to the last."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shoal as package
from shoal.data import read_table

from .command import inside, shoal

COMMAND = Path(sys.executable).with_name("shoal")
TIMES = {"seconds", "created", "stages", "compilations", "name", "command"}
"""What two runs of the same seed may differ in."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a finished run of a table with a category in it."""
    folder = tmp_path_factory.mktemp("shared")
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=300).round(4), rng.choice(["red", "green", "blue"], 300)
    kind = np.where(size + (colour == "red") + 0.3 * rng.normal(size=300) > 0.3, "yes", "no")
    pl.DataFrame({"size": size, "colour": colour, "kind": kind}).write_csv(folder / "table.csv")
    result = shoal("improve", folder / "table.csv", "--target", "kind", "--budget", "4trials", "--out", folder / "run", "--json")
    assert result.exit_code == 0, result.stderr
    (folder / "result.json").write_text(result.stdout)
    return folder


def predictions(run: Path, file: Path, out: Path, *options: str) -> pl.DataFrame:
    result = shoal("predict", run, file, "--out", out, *options)
    assert result.exit_code == 0, result.stderr
    return read_table(out)


def test_improve_leaves_a_complete_run(shared: Path):
    files = {"options.json", "loop.json", "plan.json", "trials", "study.db", "run.json", "report.html"}
    assert inside(shared / "run") == {*files, "model", "model/model.json", "model/weights.safetensors"}


def test_the_json_object_says_everything_a_program_needs(shared: Path):
    content: dict[str, Any] = json.loads((shared / "result.json").read_text())
    for part in ("train", "dev", "test"):
        assert content[part]["low"] <= content[part]["value"] <= content[part]["high"]
    assert content["run"] == str(shared / "run")
    assert (content["task"], content["metric"]) == ("classification", "error")
    assert [each["name"] for each in content["baselines"]] == ["trivial", "linear", "gradient boosting"]
    assert {"title", "text", "gaps"} <= content["verdict"].keys()
    assert content["next_step"]
    assert all(finding.keys() == {"code", "title", "severity"} for finding in content["findings"])
    assert content["recipe"]["learning_rate"] > 0
    assert content["trials"] == 4
    assert content["seconds"] > 0
    assert content["compilations"] >= 0


def test_the_command_is_recorded_as_typed(shared: Path):
    record = json.loads((shared / "run" / "run.json").read_text())["content"]
    assert record["command"].startswith(f"shoal improve {shared / 'table.csv'} --target kind --budget 4trials --out")
    assert 0 < record["stages"]["starting"] <= 3  # seconds until the job begins count, too


def test_show_is_the_end_screen_again(shared: Path):
    shown = shoal("show", shared / "run")
    assert shown.exit_code == 0
    for words in ("Next step", "gradient boosting", "Recipe", "test, used once", "report.html"):
        assert words in shown.stdout
    assert "colour" in shoal("show", shared / "run", "--verbose").stdout
    assert json.loads(shoal("show", shared / "run", "--json").stdout) == json.loads((shared / "result.json").read_text())


def test_report_writes_the_page_afresh(shared: Path):
    page = shared / "run" / "report.html"
    before = page.read_bytes()
    page.unlink()
    result = shoal("report", shared / "run")
    assert (result.exit_code, result.stdout.strip()) == (0, str(page))
    assert page.read_bytes() == before


def test_resume_of_a_complete_run_shows_it(shared: Path):
    before = (shared / "run" / "run.json").read_bytes()
    result = shoal("resume", shared / "run", "--json")
    assert json.loads(result.stdout) == json.loads((shared / "result.json").read_text())
    assert (shared / "run" / "run.json").read_bytes() == before


def test_predictions_are_the_models_in_the_files_order(shared: Path, tmp_path: Path):
    table = pl.read_csv(shared / "table.csv")
    predicted = predictions(shared / "run", shared / "table.csv", tmp_path / "p.csv", "--proba")
    expected = package.Model.load(shared / "run" / "model").predict(table, proba=True)
    assert predicted.columns == ["prediction", "p_no", "p_yes"]
    assert predicted["prediction"].to_list() == expected["prediction"].to_list()
    np.testing.assert_allclose(predicted["p_yes"], expected["p_yes"], rtol=1e-12)
    np.testing.assert_allclose(predicted["p_yes"] + predicted["p_no"], 1, rtol=1e-12)
    assert np.mean(predicted["prediction"].to_numpy() == table["kind"].to_numpy()) > 0.8
    table.reverse().write_csv(tmp_path / "reversed.csv")
    backwards = predictions(shared / "run", tmp_path / "reversed.csv", tmp_path / "q.csv")
    assert backwards["prediction"].to_list() == predicted["prediction"].to_list()[::-1]


def test_other_columns_and_another_order_do_not_matter(shared: Path, tmp_path: Path):
    table = pl.read_csv(shared / "table.csv")
    table.select(pl.lit("x").alias("extra"), "colour", pl.lit(None).alias("empty"), "size").write_csv(tmp_path / "new.csv")
    one = predictions(shared / "run", shared / "table.csv", tmp_path / "p.csv", "--proba")
    other = predictions(shared / "run", tmp_path / "new.csv", tmp_path / "q.csv", "--proba")
    assert one.equals(other)


def test_a_missing_column_is_an_error_that_names_it(shared: Path, tmp_path: Path):
    pl.read_csv(shared / "table.csv").rename({"colour": "color"}).write_csv(tmp_path / "new.csv")
    result = shoal("predict", shared / "run", tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert result.exit_code == 2
    assert "received a table without 'colour'. Did you mean 'color'?" in result.stderr
    assert not (tmp_path / "p.csv").exists()


def test_unseen_categories_and_missing_values_are_predicted_too(shared: Path, tmp_path: Path):
    (tmp_path / "new.csv").write_text("size,colour\n0.5,violet\n,red\n0.1,\nNA,?\n1e30,red\n")
    predicted = predictions(shared / "run", tmp_path / "new.csv", tmp_path / "p.csv", "--proba")
    assert predicted.height == 5
    assert set(predicted["prediction"]) <= {"yes", "no"}
    assert np.all(np.isfinite(predicted["p_yes"].to_numpy()))


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.parquet", "p.arrow", "p.feather", "p.jsonl", "p.csv.gz"])
def test_predictions_are_written_in_every_format(name: str, shared: Path, tmp_path: Path):
    assert predictions(shared / "run", shared / "table.csv", tmp_path / name).height == 300
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_without_a_file_predictions_go_to_standard_output(shared: Path):
    result = shoal("predict", shared / "run", shared / "table.csv")
    assert result.stdout.splitlines()[0] == "prediction"
    assert len(result.stdout.splitlines()) == 301


def test_an_existing_file_is_replaced_only_by_force(shared: Path, tmp_path: Path):
    (tmp_path / "p.csv").write_text("mine")
    assert shoal("predict", shared / "run", shared / "table.csv", "--out", tmp_path / "p.csv").exit_code == 2
    assert (tmp_path / "p.csv").read_text() == "mine"
    assert predictions(shared / "run", shared / "table.csv", tmp_path / "p.csv", "--force").height == 300


def test_the_same_seed_and_budget_in_trials_give_the_same_run(shared: Path, tmp_path: Path):
    result = shoal("improve", shared / "table.csv", "--target", "kind", "--budget", "4trials", "--out", tmp_path / "run", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{tmp_path / 'run'}\n", "")
    for name in ("model/weights.safetensors", "model/model.json", "trials"):
        assert (tmp_path / "run" / name).read_bytes() == (shared / "run" / name).read_bytes(), name
    one, other = (json.loads((folder / "run" / "run.json").read_text())["content"] for folder in (shared, tmp_path))
    assert without_times(one) == without_times(other)


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in TIMES}
    return {**kept, "baselines": [{name: value for name, value in each.items() if name != "seconds"} for each in kept["baselines"]]}


def test_a_regression_without_test_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    result = shoal("improve", "example:diabetes", "--budget", "1trials", "--no-test", "--seed", "3", "--metric", "mae")
    assert result.exit_code == 0, result.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.endswith("-diabetes")
    assert "dev (optimistic)" in result.stdout
    assert "test, used once" not in result.stdout
    assert predictions(run, Path("example:diabetes"), tmp_path / "p.csv", "--proba").columns == ["prediction"]


HOSTILE = {
    "<script>alert(1)</script>": "<img src=x onerror=alert(2)>",
    'quote"d, name': 'say "hi", twice',
    "two\nlines": "one\ntwo",
    "=SUM(A1:A9)": "=cmd|' /C calc'!A0",
    "emoji 🐟🐠": "🐟",
    "[bold red]markup[/]": "{{ 7 * 7 }} {% raw %} [/]",
    "\x1b[31mred\x07": "\x1b]0;title\x07",
    "long " + "x" * 3000: "y" * 5000,
    "constructor": "__proto__",
    " ": "\u202ereversed",
}


def test_a_hostile_file_goes_through_without_harm(tmp_path: Path):
    rng = np.random.default_rng(1)
    table = pl.DataFrame({name: rng.choice([cell, "plain", "other"], 120) for name, cell in HOSTILE.items()})
    label = np.where(table["emoji 🐟🐠"].to_numpy() == "🐟", "</script><b>", "=1+1")
    table.with_columns(pl.Series("target <i>", label)).write_csv(tmp_path / "<b>data.csv")
    run = tmp_path / "run & <i>more"
    result = shoal("improve", tmp_path / "<b>data.csv", "--target", "target <i>", "--budget", "1trials", "--out", run, "--verbose")
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert "[bold red]markup[/]" in result.stdout
    page = (run / "report.html").read_text()
    for raw in ("<script>alert(1)", "<img src=x", "</script><b>", "<b>data", "<i>more"):
        assert raw not in page, raw
    predicted = predictions(run, tmp_path / "<b>data.csv", tmp_path / "p.csv", "--proba")
    assert set(predicted.columns) == {"prediction", "p_</script><b>", "p_=1+1"}
    assert set(predicted["prediction"]) <= {"</script><b>", "=1+1"}


def test_progress_is_on_standard_error_and_the_result_alone_on_standard_output(tmp_path: Path):
    result = subprocess.run(
        [COMMAND, "improve", "example:wine", "--budget", "1trials", "--out", "run", "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["run"] == "run"
    assert "references" in result.stderr
    assert "Warning" not in result.stderr


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path):
    command = [COMMAND, "improve", "example:wine", "--budget", "200trials", "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run" / "trials").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "Continue with: shoal resume run\nInterrupted.\n" in err
