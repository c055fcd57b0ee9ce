"""`spd serve` as a process: it starts, answers and stops; and refused options."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from helpers.small_service import photo
from spd.cli import run
from spd.errors import ConfigError
from spd.serve.config import ServeConfig
from spd.serve.security import is_loopback, read_token

TOKEN = "0123456789abcdef0123"


def ask(url, data=None, kind="application/json", token=None):
    headers = {"content-type": kind} if data is not None else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_answers_and_stops(stop, tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    words = ["serve", "--port", "0", "--token-file", str(tmp_path / "token")]
    process = subprocess.Popen(
        [sys.executable, "-m", "spd", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    with process:
        try:
            line = process.stderr.readline()
            url = re.search(r"serving .* at (http://127\.0\.0\.1:\d+) \(Ctrl-C to stop\)", line)[1]
            data = photo()
            image = ask(f"{url}/v1/images?focal_px=60", data, "image/png", TOKEN)
            points = json.dumps({"points": [[3, 4], [60, 40]]}).encode()
            said = ask(f"{url}/v1/images/{image['id']}/points", points, token=TOKEN)
            model = ask(f"{url}/v1/model", token=TOKEN)
        finally:
            process.send_signal(stop)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "stopped\n")
    import spd

    scene = spd.load(runtime=model["runtime"]).encode(data, focal_px=60)
    np.testing.assert_allclose(said["depth_m"], scene.depth_at([[3, 4], [60, 40]]), rtol=1e-5)
    assert model["name"] == "shipped"


def refused(capsys, *words) -> str:
    """What is said in one line, with exit code 2."""
    assert run(["serve", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("spd: ")
    assert said.err.count("\n") == 1
    return said.err


def test_a_port_in_use(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(capsys, "--port", port)
    assert f"cannot bind port {port} on 127.0.0.1: address already in use" in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--model", "nowhere/at/all"], "nowhere/at/all"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid is not an address"),
        (["--token-file", "missing"], "--token-file missing cannot be read: No such file"),
        (["--max-megabytes", "0"], "max_megabytes"),
        (["--keep-images", "0"], "keep_images"),
        (["--runtime", "tflite"], "unknown runtime 'tflite'"),
        (["--port", "70000"], "--port"),
        (["--allow-origin", "example.org"], "'example.org' is not an origin"),
        (["--allow-host", "http://a.example"], "'http://a.example' is not a host"),
    ],
)
def test_wrong_options_are_refused(words, pattern, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pattern in refused(capsys, *words)


@pytest.mark.parametrize("text", ["", "short", "two words of a passphrase", "ünïcödé" * 4])
def test_files_without_a_valid_token_are_refused(text, tmp_path, capsys):
    (tmp_path / "token").write_text(text, encoding="utf-8")
    refused(capsys, "--token-file", str(tmp_path / "token"))


def test_the_token_may_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("SPD_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("SPD_TOKEN", TOKEN)
    assert read_token(None) == TOKEN
    (tmp_path / "token").write_text("f" * 32 + "\n")
    assert read_token(tmp_path / "token") == "f" * 32
    monkeypatch.setenv("SPD_TOKEN", "")
    with pytest.raises(ConfigError, match="SPD_TOKEN does not contain a valid token"):
        read_token(None)


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [("127.0.0.1", None, False), ("0.0.0.0", None, True), ("0.0.0.0", TOKEN, False)],
)
def test_an_open_address_without_a_token_gives_a_warning(host, token, warned, monkeypatch, capsys):
    class Stopped:
        def run(self, sockets):
            assert sockets[0].getsockname()[0] == host

    monkeypatch.setattr("spd.serve.server.server_of", lambda app, most: Stopped())
    if token:
        monkeypatch.setenv("SPD_TOKEN", token)
    else:
        monkeypatch.delenv("SPD_TOKEN", raising=False)
    assert run(["serve", "--host", host, "--port", "0"]) == 0
    said = capsys.readouterr().err
    assert ("warning: everyone who can reach 0.0.0.0 can use this service" in said) == warned
    assert TOKEN not in said


def test_loopback_addresses_are_recognised():
    assert all(map(is_loopback, ["127.0.0.1", "::1", "localhost", "127.1.2.3"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.2", "example.org"]))


def test_a_missing_library_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    said = refused(capsys)
    assert "this needs fastapi, which is not installed; " in said
    assert 'pip install "spd[serve]"' in said


def test_the_configuration_refuses_unknown_keys_and_has_the_commands_defaults():
    import inspect

    from spd.cli.serve import serve

    with pytest.raises(ConfigError, match="unknown key"):
        ServeConfig(max_gigabytes=1)
    config = ServeConfig()
    options = {name: p.default for name, p in inspect.signature(serve).parameters.items()}
    shared = set(options) & set(ServeConfig.model_fields)
    assert len(shared) == 6
    assert {name: options[name] for name in shared} == {
        name: getattr(config, name) for name in shared
    }
    assert options["timeout"] == config.request_seconds == config.body_seconds
