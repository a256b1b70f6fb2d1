from __future__ import annotations

import io
import os
import queue
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.local import supervisor as module
from sync.local.supervisor import Child, Output, Supervisor

FORK = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
PREAMBLE = "import os, signal, subprocess, sys, time\n"


class Heard(io.StringIO):
    """A terminal whose lines a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[str] = queue.Queue()

    def write(self, text: str) -> int:
        self._lines.put(text.rstrip("\n"))
        return len(text)

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """The next line that matches."""
        while True:
            line = self._lines.get(timeout=seconds)
            if found := re.search(pattern, line):
                return found


def child(name: str, program: str) -> Child:
    return Child(name, (sys.executable, "-c", PREAMBLE + program), {**os.environ, "PYTHONUNBUFFERED": "1"})


def is_gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process that is no child of ours ends within the time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def quiet(_: str) -> None:
    """Nobody listens."""


def speaking(heard: Heard) -> Callable[[str], None]:
    def say(text: str) -> None:
        heard.write(text)

    return say


def test_a_child_that_dies_is_started_again_and_a_person_is_told() -> None:
    heard = Heard()
    with Supervisor(Output(heard), speaking(heard)) as house:
        house.start(child("brief", "print('lives', os.getpid()); sys.exit(3)"))
        first = heard.wait_for(r"lives (\d+)")[1]
        heard.wait_for(r"brief ended with exit status 3; it is started again in 0\.5 s")
        assert heard.wait_for(r"lives (\d+)")[1] != first


def test_a_child_that_is_killed_is_started_again_too() -> None:
    heard = Heard()
    with Supervisor(Output(heard), speaking(heard)) as house:
        house.start(child("steady", "print('lives', os.getpid()); time.sleep(600)"))
        os.kill(int(heard.wait_for(r"lives (\d+)")[1]), signal.SIGKILL)
        heard.wait_for("steady was ended by SIGKILL; it is started again")
        heard.wait_for(r"lives \d+")


def test_the_wait_before_another_start_grows_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.04)
    heard = Heard()
    with Supervisor(Output(io.StringIO()), speaking(heard)) as house:
        house.start(child("broken", "sys.exit(1)"))
        waits = [heard.wait_for(r"again in (\S+) s")[1] for _ in range(5)]
        assert house.hopeless() == ["broken"]
    assert waits == ["0.01", "0.02", "0.04", "0.04", "0.04"]


def test_a_child_that_lives_is_not_hopeless() -> None:
    heard = Heard()
    with Supervisor(Output(heard), quiet) as house:
        house.start(child("steady", "print('lives'); time.sleep(600)"))
        heard.wait_for("lives")
        assert house.hopeless() == []


def test_a_program_that_does_not_exist_is_named_instead_of_breaking_the_house() -> None:
    heard = Heard()
    with Supervisor(Output(heard), speaking(heard)) as house:
        house.start(Child("typo", ("/nowhere/program",), {}))
        heard.wait_for(r"typo could not be started \(No such file or directory\)")


def test_what_a_dead_child_had_forked_is_gone_before_it_is_started_again() -> None:
    heard = Heard()
    with Supervisor(Output(heard), speaking(heard)) as house:
        house.start(child("parent", f"{FORK}; print('forked', child.pid); sys.exit(1)"))
        forked = int(heard.wait_for(r"forked (\d+)")[1])
        heard.wait_for("it is started again")
        assert is_gone(forked)


def test_a_child_that_is_asked_to_end_may_finish_what_it_does() -> None:
    heard = Heard()
    program = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('finished'))); print('lives'); signal.pause()"
    with Supervisor(Output(heard), quiet) as house:
        house.start(child("polite", program))
        heard.wait_for("lives")
    heard.wait_for("finished", seconds=0.1)


def test_a_child_that_does_not_end_is_killed_with_all_it_forked() -> None:
    heard = Heard()
    program = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {FORK}; print(os.getpid(), child.pid); time.sleep(600)"
    with Supervisor(Output(heard), speaking(heard), grace_s=0.2) as house:
        house.start(child("stubborn", program))
        pids = [int(pid) for pid in heard.wait_for(r"(\d+) (\d+)$").groups()]
    heard.wait_for("stubborn did not end when asked; it is killed", seconds=0.1)
    assert all(map(is_gone, pids))


def test_what_was_started_last_is_stopped_first() -> None:
    heard = Heard()
    program = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('ended'))); print('lives'); signal.pause()"
    with Supervisor(Output(heard), quiet) as house:
        for name in ("broker", "peers", "worker"):
            house.start(child(name, program))
            heard.wait_for(f"{name} .*lives")
    assert [heard.wait_for(r"(\w+) \| ended", seconds=0.1)[1] for _ in range(3)] == ["worker", "peers", "broker"]


def test_a_child_that_waits_for_its_next_start_does_not_delay_the_end() -> None:
    heard = Heard()
    with Supervisor(Output(heard), speaking(heard), grace_s=60) as house:
        house.start(child("broken", "sys.exit(1)"))
        heard.wait_for("again in 2 s")
        began = time.monotonic()
        house.stop()
    assert time.monotonic() - began < 1


def test_a_supervisor_that_is_killed_leaves_no_process_behind() -> None:
    grandparent = (
        "import os, sys, time\n"
        "from sync.local.supervisor import Child, Output, Supervisor\n"
        "house = Supervisor(Output(sys.stdout), print)\n"
        f"program = {PREAMBLE + FORK + chr(10) + 'print(os.getpid(), child.pid, flush=True); time.sleep(600)'!r}\n"
        "house.start(Child('parent', (sys.executable, '-c', program), os.environ))\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", grandparent], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        pids = [int(pid) for pid in killed.stdout.readline().rpartition("|")[2].split()]
        watchdogs = _children_of(killed.pid) - set(pids)
        killed.kill()
    assert len(pids) == 2
    assert len(watchdogs) == 1
    assert all(map(is_gone, [*pids, *watchdogs]))


def _children_of(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def test_each_line_of_a_child_bears_its_name() -> None:
    heard = Heard()
    with Supervisor(Output(heard), quiet) as house:
        house.start(child("talker", "print('one'); print('two'); time.sleep(600)"))
        assert heard.wait_for("one").string == "          talker | one"
        assert heard.wait_for("two").string == "          talker | two"


def test_with_a_log_directory_the_terminal_stays_quiet_and_each_child_has_its_file(tmp_path: Path) -> None:
    heard = Heard()
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    with Supervisor(Output(heard, tmp_path), quiet) as house:
        house.start(child("talker", f"print('one', flush=True); open({str(ready)!r}, 'w').close(); time.sleep(600)"))
        ready.read_text()  # a pipe: returns once the child has written
    assert (tmp_path / "talker.log").read_text() == "one\n"
    with pytest.raises(queue.Empty):
        heard.wait_for("one", seconds=0.01)
