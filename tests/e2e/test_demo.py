"""The demo of `make serve`: the line that it prints classifies a real image."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def test_the_demo_classifies_images(start):
    server = start(str(DIGITS / "app.py"))
    assert "examples/digits/send.py" in server.log
    url = f"http://127.0.0.1:{server.http}"
    right = 0
    for number in range(5):
        command = [sys.executable, str(DIGITS / "send.py"), str(number), url]
        shown = subprocess.run(command, check=True, text=True, capture_output=True).stdout
        match = re.search(r"class (\d) \(.*% sure\), true label (\d)", shown)
        assert match, shown
        right += match.group(1) == match.group(2)
    assert right >= 4
    assert server.stop() == 0
