"""The process that `bot.indexing.sandbox` runs: reads documents from its input, one at a time.

python -m bot.indexing.worker MEMORY SECONDS CHARACTERS
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_FILE = 1 << 28  # bytes that a parser may write into one temporary file
_GROWN = 1 << 19  # kilobytes of memory from which on a worker is replaced


def main() -> None:
    memory, seconds, characters = map(int, sys.argv[1:4])
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a parser that prints must not answer
    _confine(memory)
    while header := requests.readline():
        asked = json.loads(header)
        data = requests.read(asked["size"])
        _allow(seconds)
        answer = _read(asked, data, characters)
        del data
        _reply(replies, answer | {"grown": _grown()})


def _reply(replies: BinaryIO, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    replies.write(b"%d\n" % len(body))
    replies.write(body)
    replies.flush()


def _read(asked: dict[str, Any], data: bytes, characters: int) -> dict[str, Any]:
    from bot.errors import DocumentError
    from bot.indexing.formats import community, extract

    try:
        if loader := asked.get("loader"):
            document = community.extract(asked["key"], data, asked["uri"], **loader)
        else:
            document = extract(asked["key"], data, asked["uri"], asked["charset"])
    except DocumentError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": "It needs too much memory to be read; leave it out with `exclude`."}
    except Exception as error:  # a parser's defect is the document's, not the bot's
        return {"error": f"Its parser failed ({type(error).__name__}); the file may be damaged."}
    if len(document.text) > characters:
        return {"error": f"It has more than {characters:,} characters of text; split it."}
    return {
        "text": document.text,
        "title": document.title,
        "format": document.format,
        "metadata": dict(document.metadata),
    }


def _confine(memory: int) -> None:
    """Set the limits that hold for the whole process."""
    try:
        import resource
    except ImportError:  # Windows: the time limit is the parent's, memory is not limited
        return
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _allow(seconds: int) -> None:
    """Let the process use so many more seconds of processor time: then the kernel ends it."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    until = int(usage.ru_utime + usage.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _grown() -> bool:
    with suppress(OSError):  # what getrusage tells on Linux begins with the parent's peak
        status = Path("/proc/self/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            return int(found[1]) > _GROWN
    try:
        import resource
    except ImportError:
        return False
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak > (_GROWN if sys.platform != "darwin" else _GROWN << 10)


if __name__ == "__main__":
    main()
