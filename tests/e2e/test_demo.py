"""The demo of `make serve`: the line that it prints classifies a real image."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from e2e.harness import free_ports, wait_until

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def test_the_demo_classifies_images(start):
    server = start(str(DIGITS / "app.py"))
    pattern = r"examples/digits/send\.py 7 (http://localhost:(\d+))$"
    line = wait_until(lambda: re.search(pattern, server.log, re.MULTILINE), "the printed line")
    assert line.group(2) == str(server.http)  # not the default one
    url = line.group(1)
    right = 0
    for number in range(5):
        command = [sys.executable, str(DIGITS / "send.py"), str(number), url]
        shown = subprocess.run(command, check=True, text=True, capture_output=True).stdout
        match = re.search(r"class (\d) \(.*% sure\), true label (\d)", shown)
        assert match, shown
        right += match.group(1) == match.group(2)
    assert right >= 4
    assert server.stop() == 0


def test_the_demo_s_client_says_what_it_takes_and_what_is_wrong():
    def send(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(DIGITS / "send.py"), *arguments]
        return subprocess.run(command, check=False, text=True, capture_output=True)

    shown = send("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.match(r"usage: send\.py .*\[number\] \[url\]", shown.stdout, re.DOTALL)
    wrong = send("seven")
    assert wrong.returncode == 2
    assert "argument number: invalid int value: 'seven'" in wrong.stderr
    alone = send("7", f"127.0.0.1:{free_ports(1)[0]}")
    assert alone.returncode == 1
    assert re.fullmatch(r"no answer from http://127.0.0.1:\d+: .*refused.*\n", alone.stderr)
