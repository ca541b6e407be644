"""What people see on a terminal, and that none of it reaches a pipe."""

import fcntl
import os
import pty
import re
import select
import termios
import time

PROMPT = "›".encode()
CODES = re.compile(rb"\x1b\[")


class Screen:
    """A terminal: keys go in, what would be shown comes out."""

    def __init__(self, world, *arguments, env=(), only=()):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        streams = dict.fromkeys(only or ("stdin", "stdout", "stderr"), slave)
        self.shown = self._rest = b""
        environ = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **dict(env)}
        self.process = world.start(
            *arguments, env=environ, start_new_session=True, preexec_fn=_own_terminal, **streams
        )
        os.close(slave)

    def type(self, keys):
        os.write(self.master, keys)

    def until(self, text, seconds=60):
        """Read until this is shown after what was waited for last."""
        deadline, seen = time.monotonic() + seconds, self._rest
        while text not in seen:
            assert time.monotonic() < deadline, (text, seen)
            if select.select([self.master], [], [], 0.1)[0]:
                more = self._read()
                self.shown += more
                seen += more
        before, found, self._rest = seen.partition(text)
        return before + found

    def end(self, seconds=60):
        """Read until the program has ended; return its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += self._read()
        while select.select([self.master], [], [], 0)[0] and (more := self._read()):
            self.shown += more
        os.close(self.master)
        return self.process.returncode

    def _read(self):
        try:
            return os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return b""


def _own_terminal():
    """Make the terminal the one that sends the signals of its keys."""
    fcntl.ioctl(next(filter(os.isatty, (0, 1, 2))), termios.TIOCSCTTY, 0)


def test_a_conversation(handbook):
    screen = Screen(handbook, "chat")
    screen.until(PROMPT)
    screen.type(b"How many days of holiday do I have?\r")
    screen.until(b"30 days of holiday")
    screen.until(PROMPT)
    screen.type(b"And when do they expire?\r")
    screen.until(b"end of March")
    screen.until(PROMPT)
    screen.type(b"\x04")
    assert screen.end() == 0
    assert b"Traceback" not in screen.shown


def test_ctrl_c_stops_the_answer_and_prompts_again(handbook, site):
    site("endless", ENDLESS)
    env = {**site.environ, "BOT_ASSISTANTS__DEFAULT__GENERATOR": "endless"}
    screen = Screen(handbook, "chat", env=env)
    screen.until(PROMPT)
    screen.type(b"printer\r")
    screen.until(b"and went on")
    screen.type(b"\x03")
    screen.until(b"Stopped.")
    screen.until(PROMPT)
    screen.type(b"\x03")
    assert screen.end() == 0
    assert b"Traceback" not in screen.shown


ENDLESS = """
import asyncio
from bot import hookimpl

@hookimpl
async def bot_generate(turn, prompt):
    while True:
        await asyncio.sleep(0.01)
        yield " and went on"
"""


def test_colours_only_where_they_are_wanted(handbook):
    question = ("ask", "Where does the printer stand?")
    coloured = Screen(handbook, *question)
    assert coloured.end() == 0
    assert b"\x1b[1m" in coloured.shown
    plain = Screen(handbook, *question, env={"NO_COLOR": "1"})
    assert plain.end() == 0
    assert b"second floor" in plain.shown
    assert not CODES.search(plain.shown)
    piped = handbook.bot(*question, env={"TERM": "xterm-256color"})
    assert not CODES.search(piped.stdout.encode() + piped.stderr.encode())


def test_a_table_on_a_terminal_and_tabs_in_a_pipe(handbook):
    screen = Screen(handbook, "source", "list", env={"NO_COLOR": "1"})
    assert screen.end() == 0
    shown = screen.shown.decode()
    assert re.search(r"^wages +jsonl +group:hr +1 ", shown, re.MULTILINE)
    assert "\t" not in shown
    assert "wages\tjsonl\tgroup:hr\t1\t0\t" in handbook.bot("source", "list").stdout


def test_a_progress_bar_on_a_terminal_and_none_in_a_pipe(world):
    world.jsonl("a.jsonl", *({"_id": str(n), "text": f"Page number {n}."} for n in range(50)))
    world.bot("source", "add", "pages", "a.jsonl")
    screen = Screen(world, "reindex", only=("stderr",))
    out, _ = screen.process.communicate()
    assert screen.end() == 0
    assert b"\x1b[?25l" in screen.shown, "the bar hides the cursor while it moves"
    assert b"\x1b[?25h" in screen.shown, "and shows it again"
    assert out.startswith(b"pages: 50 documents")
    world.jsonl("a.jsonl", *({"_id": str(n), "text": f"Page {n}."} for n in range(50)))
    piped = world.bot("reindex", env={"TERM": "xterm-256color"})
    assert "50 changed" in piped.stdout
    assert piped.stderr == ""


def test_ctrl_c_at_a_question_of_ours(handbook):
    screen = Screen(handbook, "source", "remove", "office")
    screen.until(b"[y/N]")
    screen.type(b"\x03")
    assert screen.end() == 130
    assert b"Stopped." in screen.shown
    assert b"Traceback" not in screen.shown
    assert "office" in (handbook.folder / "bot.toml").read_text()


def test_ctrl_c_during_a_reindex_leaves_the_terminal_as_it_was(world):
    world.jsonl("a.jsonl", *({"_id": str(n), "text": f"Page {n}. " * 30} for n in range(900)))
    world.bot("source", "add", "pages", "a.jsonl")
    screen = Screen(world, "reindex")
    screen.until(b"/900")
    screen.type(b"\x03")
    assert screen.end() == 130
    assert b"Stopped." in screen.shown
    assert b"Traceback" not in screen.shown
    assert screen.shown.rfind(b"\x1b[?25h") > screen.shown.rfind(b"\x1b[?25l"), "cursor"
