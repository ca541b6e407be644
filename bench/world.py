"""A folder with a bot whose embedders take their time; the commands of `bot` as processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DOCUMENTS = 1024  # four batches of a rebuild
PATIENCE = 400  # seconds until a command counts as hanging

CONFIG = """
[sources.notes]
type = "jsonl"
path = "notes.jsonl"
url = "https://example.com/"
[index]
embedder = "quick"
splitter = "short"
[splitters.short]
type = "structure"
max_tokens = 16
"""
PLUGIN = '''
import hashlib, os, re, time
import numpy as np
from pydantic import BaseModel
from bot import Component, hookimpl

class Empty(BaseModel):
    pass

class Embedder:
    """Takes its time, and notes what it embeds."""

    def __init__(self, name, dimensions, delay):
        self.name, self.dimensions, self.delay = name, dimensions, delay

    @hookimpl
    def bot_embedder_identity(self):
        return {"name": self.name, "dimensions": self.dimensions}

    @hookimpl
    def bot_token_spans(self, texts):
        return [[match.span() for match in re.finditer(r"\\S+", text)] for text in texts]

    @hookimpl
    def bot_embed(self, texts, purpose):
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        with open(os.environ["FAULT_LOG"], "a") as log:
            log.write("".join(f"{self.name} {digest.hex()}\\n" for digest in digests))
        for text in texts if purpose == "document" else []:
            time.sleep(self.delay)
            if self.delay and "deadly" in text:
                os._exit(9)
        vectors = np.array([list(d[: self.dimensions]) for d in digests], np.float32) - 127.5
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

@hookimpl
def bot_components():
    def embedder(name, dimensions, delay):
        return Component(kind="embedder", type=name, settings=Empty,
                         make=lambda *_: Embedder(name, dimensions, delay))
    delay = float(os.environ.get("FAULT_DELAY", "0.001"))
    return [embedder("quick", 8, 0), embedder("slow", 16, delay)]
'''


class Trouble(AssertionError):
    """Something is not as it must be."""


@dataclass
class World:
    """A folder with a home of its own, and the commands in it."""

    folder: Path
    delay: float = 0.001
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "embedded.log"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "BOT_HOME": str(self.folder / "home"),
            "BOT_PLUGINS": "extractive,pgvector,faulty",
            "PYTHONPATH": f"{self.folder / 'site'}:{os.environ.get('PYTHONPATH', '')}",
            "FAULT_LOG": str(self.log),
            "FAULT_DELAY": str(self.delay),
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder, env=kept | self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.running.append(process)
        return process

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, _ = process.communicate(timeout=PATIENCE)
        if process.returncode:
            raise Trouble(f"bot {' '.join(arguments)}: {out.decode()}")
        return out.decode()

    def write(self, documents: dict[str, str]) -> None:
        lines = [json.dumps({"_id": key, "text": text}) for key, text in documents.items()]
        whole = self.folder / "notes.new"
        whole.write_text("\n".join(lines) + "\n")
        whole.rename(self.folder / "notes.jsonl")

    def kill_all(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def text_of(number: int, edition: int = 1) -> str:
    """Two paragraphs, which make two chunks."""
    words = f"note{number} edition{edition}"
    return f"{words} says in ten words what can be said.\n\n{words} adds in ten words what is left."


@contextmanager
def template() -> Iterator[Path]:
    """Prepare a folder whose documents are in version 1; runs get copies of it."""
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    folder.chmod(0o711)  # the server's own user enters it
    try:
        world = World(folder / "like")
        (world.folder / "site").mkdir(parents=True)
        (world.folder / "site" / "faulty.py").write_text(PLUGIN)
        about = world.folder / "site" / "faulty-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[bot]\nfaulty = faulty\n")
        (world.folder / "bot.toml").write_text(CONFIG)
        world.write({f"n{n}": text_of(n) for n in range(DOCUMENTS)})
        world.run("reindex")
        world.log.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def copied(folder: Path, name: str, **options: float) -> Iterator[World]:
    """Copy the template; whatever still runs is killed at the end."""
    subprocess.run(["cp", "-a", folder / "like", folder / name], check=True)
    world = World(folder / name, **options)
    try:
        yield world
    finally:
        world.kill_all()
        shutil.rmtree(world.folder, ignore_errors=True)
