"""Helpers for other people's functional tests: watching a process and its children."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
import types

import pytest

from pytriton.check.utils import (
    ProcessMonitoring,
    ProcessMonitoringThread,
    ScriptThread,
    TestMonitoringContext,
)


def sleeping_family():
    """A process with a child; both end when its standard input does."""
    script = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()']); "
        "print(child.pid, flush=True); child.wait()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_descendants_and_their_states_are_told(caplog):
    with sleeping_family() as family:
        grandchild = int(family.stdout.readline())
        monitoring = ProcessMonitoring(os.getpid(), remove_color=True)
        assert {family.pid, grandchild} <= set(monitoring.children)
        monitoring = ProcessMonitoring(family.pid, remove_color=True)
        assert monitoring.children == [grandchild]
        monitoring.register_custom_monitor(lambda pid: f"\x1b[31mseen {pid}\x1b[0m")
        with caplog.at_level(logging.INFO):
            monitoring.dump_state()
        family.stdin.close()
    for pid in (family.pid, grandchild):
        assert f"process {pid}: {sys.executable}" in caplog.text
        assert f"  seen {pid}\n" in caplog.text
    assert "State:\t" in caplog.text


def test_a_process_that_has_gone_is_no_error(caplog):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with caplog.at_level(logging.INFO):
        ProcessMonitoring(child.pid).dump_state()
    assert f"process {child.pid}: No such file or directory" in caplog.text


def test_the_thread_dumps_until_it_is_stopped():
    dumps = threading.Semaphore(0)
    monitoring = ProcessMonitoring(os.getpid())
    monitoring.dump_state = dumps.release
    with ProcessMonitoringThread(monitoring, interval=0.001):
        for _ in range(3):
            assert dumps.acquire(timeout=30)


def test_arguments_switch_it_on():
    parser = argparse.ArgumentParser()
    TestMonitoringContext.extend_args(parser)
    for words, is_on in (([], False), (["--process-monitoring-interval", "60"], True)):
        with TestMonitoringContext(parser.parse_args(words)) as context:
            assert (context._thread is not None) == is_on


@pytest.mark.parametrize("has_psutil", [True, False])
def test_a_scripts_process_is_psutils_where_there_is_one(monkeypatch, has_psutil):
    class Popen(subprocess.Popen):
        """As psutil's: a Popen that can do more."""

    module = types.SimpleNamespace(Popen=Popen) if has_psutil else None
    monkeypatch.setitem(sys.modules, "psutil", module)
    with ScriptThread([sys.executable, "-c", "print('done')"]) as script:
        script.join()
    assert isinstance(script.process, Popen) == has_psutil
    assert (script.output, script.returncode) == ("done\n", 0)
