"""``hashslide serve`` as a command: its options reach the server, and what is missing is said."""

import os
import shutil
import socket
import subprocess
import sys

from serving import PROGRAM, process
from typer.testing import CliRunner

from hashslide.cli import app
from hashslide.serve.settings import ServerSettings


def refused(*arguments) -> str:
    """Run the command in this process, where it must fail, and return what it says."""
    result = CliRunner().invoke(app, ["serve", *map(str, arguments)])
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert '"event"' not in result.output
    return " ".join(result.output.split())


def test_options_reach_the_server(model_file, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("correct-horse-battery\n")
    limits = ["--max-k", 7, "--max-inputs", 3, "--max-words", 20, "--max-body", 5000]
    with process(tmp_path, model_file, *limits, "--token-file", tokens, "--log-queries", "-j", 1) as server:
        assert server.client.get("/v1/model").status_code == 401
        server.client.headers["Authorization"] = "Bearer correct-horse-battery"
        told = server.client.get("/v1/model").json()
        assert told["limits"] == {"max_inputs": 3, "max_k": 7, "max_words": 20, "max_body": 5000}
        server.predict("rats")
        assert server.logged("request", queries=["rats"])
        assert server.stop() == 0


def test_quiet_leaves_out_the_lines_of_requests(model_file, tmp_path):
    with process(tmp_path, model_file, "--quiet", "-j", 1) as server:
        server.predict("rats")
        assert server.stop() == 0
        assert [one["event"] for one in server.log()] == ["model loaded", "stopped"]


def test_the_defaults_are_those_in_python():
    text = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    for name in (
        "port",
        "queue",
        "max_batch",
        "max_inputs",
        "max_k",
        "max_words",
        "max_body",
        "timeout",
        "workers",
    ):
        assert f"[default: {getattr(ServerSettings, name)}]" in " ".join(text.split()), name


def test_what_cannot_be_served_is_refused(tmp_path, model_file):
    assert "No such file" in refused(tmp_path / "none")
    (tmp_path / "text").write_text("no model")
    assert "not a usable model file" in refused(tmp_path / "text")
    assert "queue is 5" in refused(model_file, "--queue", 5)
    assert "has no token" in refused(model_file, "--token-file", "/dev/null")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1, port {port}" in refused(model_file, "--port", port)


def test_a_missing_package_is_named(model_file):
    program = "import sys; sys.modules['fastapi'] = None; " + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", str(model_file)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "serving needs fastapi" in done.stderr and "pip install 'hashslide[serve]'" in done.stderr


def test_a_file_may_have_any_name(model_file, tmp_path):
    """Names of files are bytes, which need not be UTF-8."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/m\xff<b>.hashslide")
    shutil.copy(model_file, path)
    with process(tmp_path, path, "-j", 1) as server:
        assert server.predict("rats")["model"] == "m?<b>"
        assert server.client.get("/openapi.json").json()["info"]["title"] == "hashslide: m?<b>"
        assert server.logged("model loaded")[0]["path"] == path
        assert server.stop() == 0
