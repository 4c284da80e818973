"""Whatever cannot be used gets one clear message and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .command import inside, shoal

ROWS = [f"{index / 4},{index % 7},{'uv'[index % 3 == 0]}" for index in range(60)]
GOOD = "\n".join(["a,b,y", *ROWS]) + "\n"
QUICK = ("--budget", "1trials", "--quiet")
COMMAND = Path(sys.executable).with_name("shoal")


def table(y: list, header: str = "a,b,y") -> str:
    return "\n".join([header, *(f"{index / 4},{index % 7},{value}" for index, value in enumerate(y))]) + "\n"


# what is wrong, the file's content, further arguments, and what the message says: the requirement, the value received, the remedy
CASES: dict[str, tuple[str | bytes, list[str], str]] = {
    "empty file": ("", [], r"holds data; received an empty file\. Check"),
    "header only": ("a,b,y\n", [], r"rows.*header only"),
    "not UTF-8": ("a,b,y\n1,café,u\n".encode("latin-1"), [], r"UTF-8.*iconv -f WINDOWS-1252 -t UTF-8"),
    "ragged rows": (GOOD + "1,2\n", [], r"3 fields.*2 in line 62"),
    "duplicate columns": ("a,a,y\n1,2,u\n", [], r"more than one 'a'"),
    "target not in the header": (GOOD.replace("a,b,y", "a,b,income"), ["--target", "incme"], r"no column 'incme'.*Did you mean 'income'\?"),
    "no target named": (GOOD, ["--target="], r"target.*Name one|a column of the table"),
    "target of one class": (table(["u"] * 60), [], r"at least two classes; received one class only, 'u'\."),
    "target all missing": (table([""] * 60), [], r"has values; received missing values only\. Choose another target"),
    "infinite target": (
        table(["inf", *(index / 7 for index in range(59))]),
        [],
        r"is finite; received 1 infinite value\. Correct or remove",
    ),
    "too few rows": (table(["u", "v", "u"]), [], r"at least 6 rows; received 3 rows"),
    "dev file with other columns": (GOOD, ["--dev", "other.csv"], r"columns of the training data; received a table without 'b'"),
    "test file that is missing": (GOOD, ["--test", "tets.csv"], r"received 'tets\.csv'\. Did you mean 'test\.csv'\?"),
    "unknown budget": (GOOD, ["--budget", "soon"], r"the budget is a time or a number of trials; received 'soon'\. Write, say, 90s"),
    "unknown metric": (GOOD, ["--metric", "eror"], r"the metric.*received 'eror'\. Did you mean 'error'\?"),
    "metric of another task": (GOOD, ["--metric", "rmse"], r"the metric of a classification.*received 'rmse'"),
    "unknown task": (GOOD, ["--task", "clasification"], r"the task is one of.*Did you mean 'classification'\?"),
    "seed that is no number": (GOOD, ["--seed", "x"], r"the seed is a whole number from 0; received 'x'"),
    "target error that is no number": (GOOD, ["--target-error", "low"], r"the target error is a number of at least 0; received 'low'"),
    "unknown column to drop": (GOOD, ["--drop", "aa"], r"--drop names a column of the table; received 'aa'\."),
    "group and time": (GOOD, ["--group", "a", "--time", "b"], r"by group or by time; received both 'a' and 'b'\. Leave one"),
    "unknown option": (GOOD, ["--bugdet", "5m"], r"received '--bugdet'\. Did you mean '--budget'\?"),
    "two files": (GOOD, ["other.csv"], r"DATA is one file or folder; received also 'other\.csv'"),
    "test rows given and done without": (GOOD, ["--test", "test.csv", "--no-test"], r"both --test and --no-test\. Leave one"),
    "test rows done without and counted": (GOOD, ["--no-test", "--test-size", "9"], r"both --no-test and --test-size\. Leave one"),
    "a size of a part that is none": (GOOD, ["--dev-size", "few"], r"the size of the dev part is a share .*received 'few'"),
    "a size of a part below 0": (GOOD, ["--test-size", "-1"], r"the size of the test part is a share .*received -1\.0"),
    "a size of pictures that is none": (GOOD, ["--picture-size", "large"], r"a height and a width .*received 'large'"),
    "quiet and verbose": (GOOD, ["--verbose"], r"both --quiet and --verbose\. Leave one"),
    "run's folder exists": (GOOD, ["--out", "folder"], r"--out is a new folder; received folder, which exists\. Choose another name"),
    "run's folder under a file": (GOOD, ["--out", "test.csv/run"], r"--out is a folder that can be made; received .*test\.csv is a file"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with some files in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("a,c,y\n1,2,u\n3,4,v\n")
    (tmp_path / "test.csv").write_text(GOOD)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside.csv").write_text(GOOD)
    return tmp_path


def with_target(arguments: list[str]) -> list[str]:
    return (
        arguments
        if any(argument.startswith("--target=") or argument == "--target" for argument in arguments)
        else ["--target", "y", *arguments]
    )


@pytest.mark.parametrize(("content", "arguments", "message"), CASES.values(), ids=CASES)
def test_a_bad_input_is_said_clearly_and_leaves_nothing_behind(content: str | bytes, arguments: list[str], message: str, place: Path):
    (place / "data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    before = inside(place)
    result = shoal("improve", "data.csv", *QUICK, *with_target(arguments))
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr), result.stderr
    assert re.match(r"error: .+; received .+\. .+\n", result.stderr), result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert inside(place) == before


def test_a_missing_file_is_suggested_its_neighbour(place: Path):
    result = shoal("improve", "tset.csv", "--target", "y", *QUICK)
    assert (result.exit_code, result.stderr) == (2, "error: the data file exists; received 'tset.csv'. Did you mean 'test.csv'?\n")


def test_a_folder_is_no_table(place: Path):
    result = shoal("improve", "folder", "--target", "y", *QUICK)
    assert (result.exit_code, "name one file in it, such as inside.csv." in result.stderr) == (2, True)


def test_all_wrong_options_are_reported_at_once(place: Path):
    wrong = ["--task", "bla", "--budget", "soon", "--metric", "foo", "--seed", "-1", "--target-error", "x", "--drop", "q"]
    result = shoal("improve", "test.csv", "--target", "z", *wrong, "--out", "folder", "--dev", "none.csv", "--quiet")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == f"error: {len(lines) - 1} problems"
    for received in ("'bla'", "'soon'", "'foo'", "-1", "'x'", "'q'", "'z'", "folder, which exists", "'none.csv'"):
        assert sum(f"received {received}" in line or f"received no column {received}" in line for line in lines) == 1, (received, lines)


def test_all_unknown_options_are_reported_at_once(place: Path):
    result = shoal("improve", "--taget", "y", "test.csv", "--bugdet=5m")
    assert result.exit_code == 2
    assert "'--target'" in result.stderr
    assert "'--budget'" in result.stderr


def test_no_arguments_show_what_there_is():
    assert "improve" in shoal().output
    result = shoal("improve")
    assert result.exit_code == 2
    assert "Missing argument 'DATA'" in result.stderr


def test_no_permission_to_write_is_seen_before_anything_is_done(place: Path, monkeypatch: pytest.MonkeyPatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))  # root may write everywhere
    result = shoal("improve", "test.csv", "--target", "y", "--out", "run", *QUICK)
    assert result.exit_code == 2
    assert re.search(
        r"the results can be written; received no permission to write in .+\. Choose another place with --out\.", result.stderr
    )
    assert not (place / "run").exists()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_made_says_so(code: int, place: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    result = shoal("improve", "test.csv", "--target", "y", "--out", "new/run", *QUICK)
    remedy = "Free some disk space." if code == errno.ENOSPC else "Choose another folder."
    assert result.exit_code == 2
    assert result.stderr == f"error: the results can be written; received {os.strerror(code)} at new/run. {remedy}\n"


@pytest.mark.parametrize("write", range(3))
def test_a_full_disk_leaves_nothing_behind(write: int, place: Path, monkeypatch: pytest.MonkeyPatch):
    """Before the first trial is finished there is nothing worth keeping."""
    before, fsync, calls = inside(place), os.fsync, iter(range(1000))

    def full(descriptor: int) -> None:
        if next(calls) >= write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    result = shoal("improve", "test.csv", "--target", "y", "--out", "new/run", *QUICK)
    assert result.exit_code == 2
    assert re.search(
        r"^error: the results can be written; received No space left on device at .+\. Free some disk space\.\n$", result.stderr
    )
    assert inside(place) == before


def test_a_disk_that_fills_later_keeps_what_was_finished(place: Path, monkeypatch: pytest.MonkeyPatch):
    fsync, calls = os.fsync, iter(range(1000))

    def full(descriptor: int) -> None:
        if next(calls) >= 4:  # the options, the plan, the first job's networks and its line
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = shoal("improve", "test.csv", "--target", "y", "--out", "my run", "--budget", "4trials", "--quiet")
    assert result.exit_code == 2
    assert "What was finished is kept. Continue with: shoal resume 'my run'" in result.stderr
    assert shoal("resume", "my run", "--quiet").stdout == "my run\n"


PLAIN = {
    "rare classes": (table([*("uv" * 30), "w"]), r"too rare to appear in every part are kept in training: w \(1 row\)"),
    "infinite values in a column": (GOOD.replace("\n1.25,", "\ninf,"), r"1 infinite value in 'a' treated as missing"),
    "rows without a target": (GOOD.replace("1.25,5,u", "1.25,5,").replace("1.5,6,v", "1.5,6,"), r"2 rows without a target left out"),
}


@pytest.mark.parametrize(("content", "note"), PLAIN.values(), ids=PLAIN)
def test_what_is_no_error_is_said_plainly(content: str, note: str, place: Path):
    (place / "data.csv").write_text(content)
    result = shoal("improve", "data.csv", "--target", "y", "--out", "run", "--budget", "1trials")
    assert result.exit_code == 0, result.stderr
    assert re.search(note, " ".join(result.stdout.split())), result.stdout


PREDICTIONS = {
    "no such run": (["nowhere", "test.csv"], r"RUN is the folder of a run; received nowhere, which does not exist\."),
    "another folder": (["folder", "test.csv"], r"RUN is the folder of a run; received folder, which is not one\."),
    "unknown format": (["run", "test.csv", "--out", "p.xlsx"], r"--out ends in \.csv.*received 'p\.xlsx'"),
    "output exists": (["run", "test.csv", "--out", "test.csv"], r"--out is a new file; received test\.csv, which exists\..*--force"),
    "output's folder is missing": (["run", "test.csv", "--out", "no/p.csv"], r"--out is in a folder that exists; received 'no'"),
    "output is a folder": (["run", "test.csv", "--out", "folder", "--force"], r"--out is a file; received the folder 'folder'"),
}


@pytest.mark.parametrize(("arguments", "message"), PREDICTIONS.values(), ids=PREDICTIONS)
def test_predictions_that_cannot_be_made_are_said_clearly(arguments: list[str], message: str, place: Path):
    result = shoal("predict", *arguments)
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr


# the same as real processes: nothing of Python's shows, and the exit code is what the shell sees
@pytest.mark.parametrize("arguments", [["improve", "none.csv"], ["improve", "test.csv", "--seed"], ["imprve"], ["show", "folder"]])
def test_a_process_ends_with_code_2_and_no_traceback(arguments: list[str], place: Path):
    result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()
    assert result.stdout == ""


def test_the_version_and_the_help_do_not_wait_for_the_engine():
    run = "CliRunner().invoke(app, sys.argv[1:]).output"
    code = f"import sys; from typer.testing import CliRunner; from shoal.cli import app; print({run}, 'jax' in sys.modules)"
    for arguments in (["--version"], ["--help"], ["improve", "--help"]):
        result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert result.stdout.strip().endswith("False")


def test_a_bug_shows_its_traceback_and_ends_with_code_1(place: Path):
    code = "import shoal.cli; shoal.cli.read_record = lambda run: 1 / 0; shoal.cli.main()"
    result = subprocess.run([sys.executable, "-c", code, "show", "folder"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr
