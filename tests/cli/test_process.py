"""How the process of a command ends: with everything written, with its exit code, and after the threads that are at work."""

import os
import subprocess
import sys

import pytest

IMPORTS = "import atexit, gc, sys, threading, time\nfrom shoal.commands import process\n"
START = f"{IMPORTS}atexit.register(lambda: print('handler'))\n"


def ended(command: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", f"{START}{command}"], capture_output=True, text=True, check=False, **how)


@pytest.mark.parametrize(("end", "code"), [("sys.exit()", 0), ("sys.exit(0)", 0), ("sys.exit(2)", 2), ("sys.exit(130)", 130)])
def test_a_command_ends_with_its_code_when_all_is_written_and_without_taking_itself_apart(end, code):
    done = ended(
        f"class Left:\n    def __del__(self): print('apart')\nleft = Left()\n"
        f"def command():\n    print('x' * 100_000)\n    print('said', file=sys.stderr)\n    {end}\nprocess.run(command)"
    )
    assert (done.returncode, done.stderr) == (code, "said\n")
    assert done.stdout == f"{'x' * 100_000}\nhandler\n"


def test_a_bug_and_a_message_end_as_python_ends_them():
    bug = ended("def command(): raise KeyError('a bug')\nprocess.run(command)")
    assert bug.returncode == 1 and "Traceback" in bug.stderr and "a bug" in bug.stderr and bug.stdout == "handler\n"
    message = ended("process.run(lambda: sys.exit('a message'))")
    assert (message.returncode, message.stderr) == (1, "a message\n")


def test_a_thread_at_work_is_waited_for():
    done = ended(
        "def work():\n    time.sleep(0.5)\n    print('worked')\n"
        "def command():\n    threading.Thread(target=work).start()\n    sys.exit(0)\nprocess.run(command)"
    )
    assert (done.returncode, done.stdout) == (0, "worked\nhandler\n")


def test_output_that_nobody_reads_any_more_is_no_traceback():
    late = "def command():\n    time.sleep(0.5)\n    print('late')\n    sys.exit(0)\nprocess.run(command)"
    piped = f'"{sys.executable}" -c "$1" | true; exit "${{PIPESTATUS[0]}}"'
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(["bash", "-c", piped, "bash", IMPORTS + late], capture_output=True, text=True, check=False, env=buffered)
    assert done.returncode != 1 and "Traceback" not in done.stderr


def test_garbage_is_still_collected():
    done = ended("process.run(lambda: sys.exit(0 if gc.isenabled() and gc.get_threshold() == process.GARBAGE_AFTER else 1))")
    assert done.returncode == 0
