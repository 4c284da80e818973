"""A run's own study: opened beside the training, whole at the end, and never a reason for a run to fail."""

import threading

import optuna
import pytest

from shoal.recording import Recording
from shoal.run_folder import RunFolder
from shoal.study import FILE, StudyWriter


def recording_of(folder, space) -> Recording:
    return Recording(RunFolder(folder), {"run": "a run"}, space, "data")


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_the_trials_are_in_the_study_at_the_end(tmp_path, space, trials_of, begun):
    recording = recording_of(tmp_path, space)
    if begun:
        recording.begin()
    assert recording.close(trials_of(space, 5)) == ()
    study = optuna.load_study(study_name=tmp_path.name, storage=f"sqlite:///{tmp_path / FILE}")
    assert len(study.trials) == 5


def test_nothing_waits_for_the_study_until_the_end(tmp_path, space, trials_of, monkeypatch):
    goes_on, opened = threading.Event(), StudyWriter.in_folder

    def patiently(*known):
        assert goes_on.wait(60)
        return opened(*known)

    monkeypatch.setattr(StudyWriter, "in_folder", patiently)
    recording = recording_of(tmp_path, space)
    recording.begin()  # returns although the study cannot be opened yet
    goes_on.set()
    assert recording.close(trials_of(space, 2)) == ()
    assert (tmp_path / FILE).exists()


def test_a_study_that_cannot_be_opened_is_noted(tmp_path, space, trials_of):
    (tmp_path / FILE).mkdir()
    (note,) = recording_of(tmp_path, space).close(trials_of(space, 2))
    assert note.startswith(f"The trials are not in {FILE}: ")
    assert note.endswith("The run's own record has all of them.")


def test_a_run_without_a_folder_has_no_study(space, trials_of):
    recording = Recording(None, {}, space, "data")
    recording.begin()
    assert recording.close(trials_of(space, 2)) == ()
