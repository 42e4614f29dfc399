from __future__ import annotations

import subprocess
import sys

import pytest

from pytriton import _core, serve


@pytest.fixture
def rows():
    return _core.option_table()


def test_options_stand_before_and_after_the_app(rows):
    command = serve.parse(["--http-port", "1", "app.py", "--grpc-port=2", "--", "-x"], rows)
    assert command.app == "app.py"
    assert command.options == {"http-port": "1", "grpc-port": "2"}
    assert command.arguments == ["-x"]


def test_boolean_alone_is_true(rows):
    command = serve.parse(["--allow-metrics", "app.py", "--log-info", "false"], rows)
    assert command.options == {"allow-metrics": "true", "log-info": "false"}


@pytest.mark.parametrize("word", ["true", "ON", "1", "False", "off", "0"])
def test_booleans_take_every_word_that_tritonserver_takes(rows, word):
    command = serve.parse(["--strict-readiness", word, "--model-repository", "models"], rows)
    assert command.app is None
    assert command.options["strict-readiness"] == word


def test_lists_collect(rows):
    command = serve.parse(["--metrics-config", "a=1", "--metrics-config=b=2", "app"], rows)
    assert command.options == {"metrics-config": ["a=1", "b=2"]}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "what to serve is missing"),
        (["--htp-port", "1", "app"], "unknown option --htp-port; did you mean --http-port"),
        (["app", "--http-port"], "--http-port needs a value"),
        (["-x", "app"], "unknown option -x"),
        (["--model-load-th", "1"], "unknown option --model-load-th; did you mean --model-load-thr"),
    ],
)
def test_a_wrong_command_line_is_explained(rows, arguments, text):
    with pytest.raises(serve.UsageError, match=text):
        serve.parse(arguments, rows)


def test_help_lists_every_option_with_default_and_unit(rows):
    text = serve.help_text(rows)
    for row in rows:
        assert f"--{row['name']} <" in text
        assert row["help"] in text
    assert "--exit-timeout-secs <s>" in text
    assert "default: 30 s" in text


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytriton.serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_arguments_it_says_what_to_give():
    result = run()
    assert result.returncode == 2
    assert "give --model-repository DIR, a script (app.py) or module:object" in result.stderr


@pytest.mark.parametrize("app", ["nosuchapp", "nosuchapp:triton", "json.nosuchpart"])
def test_an_app_that_is_not_there_is_a_wrong_command(app):
    result = run(app)
    assert result.returncode == 2
    name = app.split(":")[0]
    assert f"expected a script or a module to serve, got '{name}'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("given", ["s3://bucket/models", ""])
def test_a_repository_elsewhere_is_refused(given):
    result = run(f"--model-repository={given}")
    assert result.returncode == 1
    assert f"expected a directory of this machine, got '{given}'" in result.stderr


def test_an_app_without_a_server_is_an_error(tmp_path):
    app = tmp_path / "app.py"
    app.write_text("x = 1\n")
    result = run(str(app))
    assert result.returncode == 2
    assert "nothing to serve" in result.stderr


def test_a_bad_option_value_is_an_error(tmp_path):
    app = tmp_path / "app.py"
    app.write_text("from pytriton.triton import Triton\ntriton = Triton()\n")
    result = run(str(app), "--http-port", "many")
    assert result.returncode == 1
    assert "http-port" in result.stderr
