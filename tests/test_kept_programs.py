"""Programs kept on disk: traced once for all processes, and never used where anything that they depend on is another."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shoal import devices
from shoal.population import kept_programs
from shoal.population.kept_programs import KeptProgram, can_be_kept

X = np.arange(6, dtype=np.float32)


class Pair(NamedTuple):
    """Two results."""

    total: Any
    twice: Any


can_be_kept(Pair)


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, x: Any) -> Pair:
        self.times += 1
        return Pair(x.sum(), 2 * x)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(devices, "programs_folder", lambda: tmp_path)
    return tmp_path / "traced"


def called(x: Any = X, *facts: object) -> int:
    """How often a process that begins with nothing in memory traces, to call a program twice; what it returns is right."""
    function = Traced()
    program = KeptProgram(function, *facts)
    for _ in range(2):
        found = program(x)
        assert isinstance(found, Pair)
        np.testing.assert_array_equal(found.twice, 2 * np.asarray(x))
        assert found.total == np.asarray(x).sum()
    assert len(program) == 1
    return function.times


def test_a_program_is_traced_once_for_all_processes(folder):
    assert [called(), called()] == [1, 0]
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("other", [X[:4], X.astype(np.int32), X.reshape(2, 3)], ids=["length", "type", "shape"])
def test_other_arguments_are_another_program(folder, other):
    assert [called(), called(other), called(other)] == [1, 1, 0]


def test_what_it_closes_over_and_the_source_are_part_of_its_name(folder, monkeypatch):
    assert [called(X, "one"), called(X, "another"), called(X, "another")] == [1, 1, 0]
    monkeypatch.setattr(kept_programs, "_surroundings", lambda: "another version")
    assert called(X, "one") == 1


def test_settings_that_a_context_changes_are_part_of_its_name(folder):
    assert called() == 1
    with jax.default_matmul_precision("float32"):
        assert called() == 1
    with jax.enable_x64(True):
        assert called() == 1
    assert called() == 0


def test_one_process_keeps_programs_of_several_contexts_apart(folder):
    function = Traced()
    program = KeptProgram(function)
    for precision in ("float32", "bfloat16", "float32"):
        with jax.default_matmul_precision(precision):
            program(X)
    assert (function.times, len(program)) == (2, 2)


@pytest.mark.parametrize("content", [b"", b"x", None], ids=["empty", "short", "a changed byte"])
def test_a_spoilt_file_is_traced_and_written_again(folder, content):
    called()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if content is None else content)
    assert [called(), called()] == [1, 0]


def test_without_a_folder_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(devices, "programs_folder", lambda: None)
    assert [called(), called()] == [1, 1]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(devices, "programs_folder", lambda: tmp_path / "file")
    assert [called(), called()] == [1, 1]


@pytest.mark.parametrize("times", [1, 2], ids=["traced", "read"])
def test_donated_arrays_are_given_up(folder, times):
    for _ in range(times):
        program = KeptProgram(lambda x, y: x + y, "sum", donates_first=True)
        first, second = jnp.asarray(X), jnp.asarray(X)
        np.testing.assert_array_equal(program(first, second), 2 * X)
        assert first.is_deleted() and not second.is_deleted()
