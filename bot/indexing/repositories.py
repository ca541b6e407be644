"""A copy of a branch of a git repository, without a working tree.

Files are read from git's own store: nothing of a repository is ever checked out, so no link, hook,
filter or submodule of it can do anything. The `git` program talks to servers, with its user's own
keys and credential helpers.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import DocumentError, SourceError
from bot.indexing.addresses import AddressRefused, looked_up, plain_host, public

FETCHING = 900.0  # seconds
READING = 60.0
MOST = 1 << 28  # bytes that git may say: trees that hold each other many times list for ever

_BRANCH = re.compile(r"[\w][\w./@+-]*")
_SAFE = (
    "core.hooksPath=/dev/null",
    "http.followRedirects=false",  # a redirect would not be checked
    "http.lowSpeedLimit=1000",  # bytes a second, at least, …
    "http.lowSpeedTime=60",  # … or the server counts as gone
    "http.proxy=",  # a proxy would connect without the check
    "credential.interactive=false",
    "gc.auto=0",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_GITS_OWN = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_SSL_CAINFO")


class TooMuch(SourceError):
    """A repository holds more than can be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit.

    Attributes:
        mode: `100644` and `100755` are files, `120000` links, `160000` other repositories.
        size: in bytes; 0 for another repository.
    """

    path: str
    mode: str
    object: str
    size: int


def repository_address(written: str) -> str | Path:
    """Check where a repository is: https, http, ssh, or a folder of this machine (a `Path`).

    Raises:
        ValueError: it is none, or holds a password.
    """
    written = written.strip()
    if not written or written.startswith("-") or "::" in written.partition("/")[0]:
        raise ValueError(f"{written!r} is no repository; write https://…, ssh://… or a path")
    if "://" not in written:
        return written if ":" in written.partition("/")[0] else Path(written)
    parts = urlsplit(written)
    if parts.scheme not in ("https", "http", "ssh", "file"):
        raise ValueError(f"{parts.scheme}:// is not allowed; write https://…, ssh://… or a path")
    if parts.password is not None or (parts.username and parts.scheme.startswith("http")):
        raise ValueError(
            "an address must not hold a user's name or a password; give git a credential helper"
        )
    return written


def branch_name(written: str) -> str:
    """Check a branch's name.

    Raises:
        ValueError: git allows none such.
    """
    if written and (not _BRANCH.fullmatch(written) or ".." in written):
        raise ValueError(f"{written!r} is no name of a branch")
    return written


class Mirror:
    """One branch of a repository, kept below a folder of our own.

    Args:
        branch: empty for the repository's own default.
        allow_private: hosts whose addresses may be private.
    """

    def __init__(
        self, folder: Path, repository: str, branch: str, allow_private: Sequence[str]
    ) -> None:
        self._folder = folder
        self._repository = repository
        self._branch = branch
        self._allowed = frozenset(map(plain_host, allow_private))

    async def fetch(self) -> str:
        """Bring the branch up to date; return its newest commit.

        Raises:
            SourceError: it cannot be fetched; what was fetched before stays.
            AddressRefused: the repository's host is not public.
        """
        pinned = await self._checked_host()
        if not (self._folder / "HEAD").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            await self._git("init", "--quiet", "--bare", "--template=", seconds=READING)
        wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        await self._git(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--force", "--no-recurse-submodules",
            "--no-auto-maintenance", self._repository, f"{wanted}:refs/bot/branch",
            settings=pinned, seconds=FETCHING,
        )  # fmt: skip
        commit = await self._git("rev-parse", "refs/bot/branch", seconds=READING)
        return commit.decode().strip()

    async def files(self, commit: str, folder: str) -> list[Entry]:
        """List the files of a commit below a folder, by path.

        Raises:
            SourceError: there is no such folder.
            TooMuch: it holds millions of files.
        """
        tree = f"{commit}:{folder.strip('/')}" if folder.strip("/") else commit
        try:
            listed = await self._git(
                "ls-tree", "-r", "-z", "--long", "--full-tree", tree, seconds=READING
            )
        except TooMuch:
            raise
        except SourceError as error:
            raise SourceError(
                f"{self._repository} has no folder {folder!r} in {self._branch or 'its branch'}; "
                "correct `folder` in bot.toml."
            ) from error
        return list(_entries(listed))

    async def read(self, entry: Entry) -> bytes:
        """Read a file.

        Raises:
            DocumentError: git's store is damaged.
        """
        try:
            return await self._git(
                "cat-file", "blob", entry.object, seconds=READING, most=entry.size
            )
        except SourceError as error:
            raise DocumentError(str(error)) from error

    async def _checked_host(self) -> list[str]:
        """Look the host up; make git connect to the addresses that were checked."""
        parts = urlsplit(self._repository)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return []  # ssh knows its hosts by their keys and follows nobody elsewhere
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = await looked_up(host, port)
        except Exception as error:
            raise SourceError(f"{self._repository} cannot be fetched: {error}.") from error
        if plain_host(host) not in self._allowed:
            for address in addresses:
                if not public(address):
                    raise AddressRefused(
                        f"{host} is the address {address}, which is not public; if it is meant, "
                        f'add "{plain_host(host)}" to `allow_private`.'
                    )
        written = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
        return [f"http.curloptResolve={host}:{port}:{written}"]

    async def _git(
        self, *arguments: str, seconds: float, settings: Sequence[str] = (), most: int = 0
    ) -> bytes:
        options = [part for each in (*_SAFE, *settings) for part in ("-c", each)]
        try:
            process = await asyncio.create_subprocess_exec(
                "git", *options, "--git-dir", str(self._folder), *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is the bot's to handle
            )  # fmt: skip
        except FileNotFoundError as error:
            raise SourceError("A git source needs the program git; install it.") from error
        try:
            async with asyncio.timeout(seconds):
                assert process.stdout is not None
                assert process.stderr is not None
                reading = (
                    self._said(stream, max(most, MOST))
                    for stream in (process.stdout, process.stderr)
                )
                out, told = await asyncio.gather(*reading)
                await process.wait()
        except TimeoutError as error:
            raise SourceError(
                f"{self._repository} takes longer than {seconds:g} s; what is indexed stays."
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise SourceError(
                f"{self._repository} cannot be read: {_last_line(told)}; what is indexed stays."
            )
        return out

    async def _said(self, stream: asyncio.StreamReader, most: int) -> bytes:
        said = bytearray()
        while part := await stream.read(1 << 16):
            said += part
            if len(said) > most:
                raise TooMuch(
                    f"{self._repository} holds more than can be listed; name a `folder` of it in "
                    "bot.toml. What is indexed stays."
                )
        return bytes(said)


def _environment() -> dict[str, str]:
    """The user's own environment, so that keys and helpers work, but no questions and no proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in _PROXIES
        and (name in _GITS_OWN or not name.startswith(("GIT_", "BOT_")))
    }
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
        "LC_ALL": "C",
    }


def _entries(listed: bytes) -> Iterator[Entry]:
    for line in listed.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, name, size = about.decode().split()
        yield Entry(os.fsdecode(path), mode, name, int(size) if size.isdigit() else 0)


def _last_line(told: bytes) -> str:
    lines = [line.strip() for line in told.decode("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or ["git says nothing"])[0][:300].rstrip(".")
