"""One data folder and the server on it: created, configured, started, stopped.

Everything here blocks, and what changes something is called under the control lock.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import make_conninfo

from bot.embedded import configuration, locks, sockets
from bot.embedded.account import Account, owner, server_account
from bot.embedded.binaries import NEWEST, programs
from bot.embedded.trouble import failed
from bot.errors import EmbeddedServerError

_OURS = "postgresql"  # the folder in the home
_SILENCE = 10.0  # seconds; a server that runs and says nothing for longer is started anew
_START = 150.0  # seconds; after a crash it replays what it had not written yet
_STOP = 60.0  # seconds
_TRIES = 3
_PAUSE = 0.002
_LOG_SIZE = 1_000_000  # bytes
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}  # no PG* of the caller
_INITDB = (
    "--username=postgres --auth=peer --encoding=UTF8 --locale=C --locale-provider=builtin "
    "--builtin-locale=C.UTF-8 --data-checksums --no-sync --no-instructions"
).split()
_SINGLE = "--single -F -j -c exit_on_error=true".split()
# The bot's own user may make databases, and no more; template1 hands pgvector on to them.
_FIRST_SQL = (
    b"create role bot login createdb;\n\n"
    b"create extension vector;\n\n"
    b"create database bot owner bot;\n\n"
)


class Cluster:
    """The folder `postgresql` of a home, and the server on the data in it.

    Attributes:
        control: the lock under which somebody starts or stops the server.
        clients: the lock that every client shares.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / _OURS
        self.control = self.folder / "control.lock"
        self.clients = self.folder / "clients.lock"
        self._data = self.folder / "data"
        self._before = self.folder / "data-before"  # during the moment in which it is replaced
        self._log = self.folder / "server.log"
        # Held by the server's own processes, so it tells whether any of them is left.
        self._running = self.folder / "server.lock"

    def conninfo(self) -> str:
        """How libpq reaches the server; libpq refuses any other user's server."""
        return make_conninfo(
            host=str(sockets.current(self.folder)),
            port=sockets.PORT,
            user="bot",
            dbname="bot",
            requirepeer=owner(self._data).name,
        )

    def alive(self) -> bool:
        """Tell whether a connection succeeds."""
        return self._data.exists() and self._ping() == pq.Ping.OK

    def make_folder(self) -> None:
        """Make the folder of the server, for ourselves alone, unless it is there."""
        if self.folder.is_dir():
            return
        if os.geteuid() == 0 and not self.home.exists():
            there = next(parent for parent in self.home.parents if parent.exists())
            if there.is_dir():
                self._demand(server_account(self._data), there)
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def up(self, control: int) -> None:
        """Make sure that the server runs.

        Args:
            control: the held lock; a child that makes the data keeps it if we are killed.

        Raises:
            EmbeddedServerError: it does not come up.
        """
        if self.alive():
            return
        self.recover()
        account = server_account(self._data)
        self._admit(account)
        if not self._data.exists():
            self._create(account, control)
        for _ in range(_TRIES):
            if self._predecessor_lives():
                return
            self._remove_stale(sockets.make(self.folder, account))
            if self._launch(account):
                return
        raise EmbeddedServerError(
            f"PostgreSQL was killed each of the {_TRIES} times that it started in {self.home}; the "
            "system does so when memory runs out: free some, then try again."
        )

    def down(self) -> None:
        """Stop the server.

        Raises:
            EmbeddedServerError: it does not stop.
        """
        self._end()
        sockets.discard(self.folder)

    # -- another major version ------------------------------------------------------------------

    def major(self) -> int | None:
        """The major version of PostgreSQL that made the data; None before there is any."""
        try:
            return int((self._data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def swap(self, other: Cluster) -> Path:
        """Take the data of another stopped cluster on the same disk; return where the old is."""
        self._data.rename(self._before)
        locks.sync_folder(self.folder)
        other._data.rename(self._data)
        locks.sync_folder(self.folder)
        return self._put_aside()

    def recover(self) -> None:
        """Finish what was killed within `swap`: without new data, the old is in force."""
        if self._before.exists():
            if self._data.exists():
                self._put_aside()
            else:
                self._before.rename(self._data)

    def _put_aside(self) -> Path:
        major = (self._before / "PG_VERSION").read_text().strip()
        kept = self.folder / f"data-{major}-{time.strftime('%Y%m%d-%H%M%S')}"
        self._before.rename(kept)
        locks.sync_folder(self.folder)
        return kept

    # -- the folder -----------------------------------------------------------------------------

    def _admit(self, account: Account) -> None:
        """Let the server's user through to its data, and nobody else."""
        if os.geteuid() != 0 or self.folder.stat().st_uid != 0:
            self.folder.chmod(0o700)
            return
        ours = [self.folder]
        if self.home.stat().st_uid == 0 and set(os.listdir(self.home)) <= {_OURS}:
            ours.append(self.home)  # made for the bot, so its permissions are ours to set
        for folder in ours:
            private = folder.stat().st_mode & 0o007 == 0
            if folder is self.folder or private:
                os.chown(folder, -1, account.gid)
                folder.chmod(0o710)
        self._demand(account, self.folder)

    def _demand(self, account: Account, folder: Path) -> None:
        if not account.reaches(folder):
            raise EmbeddedServerError(
                f"PostgreSQL does not run as root but as the user {account.name}, who cannot "
                f"enter {folder}; choose a --home which that user can reach, such as "
                "/var/lib/domainbot, or set `database_url`."
            )

    def _create(self, account: Account, control: int) -> None:
        """Make the data in a folder of another name: it is whole when it gets its own."""
        for unfinished in self.folder.glob("new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        bin_folder = programs(NEWEST, account, self.folder)
        fresh = Path(tempfile.mkdtemp(prefix="new-data-", dir=self.folder))
        try:
            os.chown(fresh, account.uid, account.gid)
            initdb, at = bin_folder / "initdb", ("-D", str(fresh))
            self._run([initdb, *at, *_INITDB], account, control)
            self._run(
                [bin_folder / "postgres", *_SINGLE, *at, "template1"], account, control, _FIRST_SQL
            )
            self._run([initdb, *at, "--sync-only"], account, control)
            fresh.rename(self._data)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        locks.sync_folder(self.folder)

    def _run(
        self, command: list[Path | str], account: Account, control: int, stdin: bytes = b""
    ) -> None:
        done = subprocess.run(  # noqa: S603 - the wheel's own programs
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(control,),
            start_new_session=True,
            cwd="/",
            env=_ENVIRONMENT,
            **account.switch,
        )
        if done.returncode != 0:
            output = done.stdout.decode(errors="replace")
            raise failed(self.home, f"PostgreSQL's data could not be made in {self.home}", output)

    # -- the server -----------------------------------------------------------------------------

    def _launch(self, account: Account) -> bool:
        """Start the server in a session of its own and wait until it takes connections.

        Returns:
            False when a signal killed it before it did.
        """
        program = programs(self.major() or NEWEST, account, self.folder) / "postgres"
        settings = configuration.write(self.folder, self._data, account)
        if self._log.exists() and self._log.stat().st_size > _LOG_SIZE:
            self._log.rename(self._log.with_suffix(".log.1"))
        log = locks.open_private(self._log, os.O_RDWR | os.O_APPEND)
        running = locks.open_private(self._running)
        try:
            begin = os.fstat(log).st_size
            locks.attempt(running, locks.EXCLUSIVE)
            process = subprocess.Popen(  # noqa: S603 - the wheel's own program
                [program, "-D", self._data, "-c", f"config_file={settings}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(running,),
                start_new_session=True,
                cwd="/",
                umask=0o077,
                env=_ENVIRONMENT,
                **account.switch,
            )
            # Reaped as soon as it ends, whenever that is; it may well outlive us.
            threading.Thread(target=process.wait, name="postgres", daemon=True).start()
            self._await(process)
            if (ended := process.poll()) is None:
                return True
            if ended >= 0:
                output = os.pread(log, _LOG_SIZE, begin).decode(errors="replace")
                raise failed(self.home, f"PostgreSQL does not start in {self.home}", output)
            return False
        finally:
            os.close(running)
            os.close(log)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server is ready or has ended."""
        deadline = time.monotonic() + _START
        while process.poll() is None:
            # Asking a server that is not ready yet would fill its log.
            if self._postmaster() == (process.pid, "ready") and self.alive():
                return
            if time.monotonic() > deadline:
                # Left alone: ending it would only make the next start replay the same again.
                raise EmbeddedServerError(
                    f"PostgreSQL is not ready after {_START:.0f} seconds, it may be repairing a "
                    f"large database; see {self._log}, and try again later."
                )
            time.sleep(_PAUSE)

    def _predecessor_lives(self) -> bool:
        """Wait for a server that is starting or ending; end one that nobody can reach."""
        begun = time.monotonic()
        while self._occupied():
            answer = self._ping()
            if answer == pq.Ping.OK:
                return True
            waited = time.monotonic() - begun
            if answer != pq.Ping.REJECT and self._lost(waited):
                self._end()
                return False
            if waited > _START:
                raise self._stuck()
            time.sleep(_PAUSE)
        return False

    def _lost(self, waited: float) -> bool:
        """Tell whether a silent server will never answer: one refusal can be a busy moment."""
        pid, state = self._postmaster()
        if state not in ("", "ready"):
            return False  # starting or stopping: it takes its time
        no_socket = (
            state == "ready" and not (sockets.current(self.folder) / sockets.FILES[0]).exists()
        )
        return no_socket or not _exists(pid) or waited > _SILENCE

    def _end(self) -> None:
        """End the server, at once if it does not end properly."""
        for how, patience in ((signal.SIGINT, _STOP), (signal.SIGQUIT, _STOP / 6)):
            self._signal(how)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if not self._occupied():
                    return
                time.sleep(_PAUSE)
        raise self._stuck()

    def _ping(self) -> pq.Ping:
        return pq.Ping(pq.PGconn.ping(f"{self.conninfo()} connect_timeout=5".encode()))

    def _occupied(self) -> bool:
        """Tell whether any process of a server is left on the data."""
        return not locks.unused(self._running) or self._works_here(self._postmaster()[0])

    def _postmaster(self) -> tuple[int, str]:
        """Read the process id and the state that the server wrote down; (0, "") without."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
            return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
        except (FileNotFoundError, ValueError):
            return 0, ""

    def _works_here(self, pid: int) -> bool:
        """Tell whether a process is a server on the data: its id may be another's by now."""
        if pid <= 0 or not _exists(pid):
            return False
        try:
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            return program.startswith("postgres") and os.path.samefile(
                f"/proc/{pid}/cwd", self._data
            )
        except OSError:
            # Another user's process, or a system without /proc; there, believe the lock alone.
            return False

    def _signal(self, how: signal.Signals) -> None:
        """Tell the server to end; when its first process is dead, tell all that are left."""
        pid = self._postmaster()[0]
        if self._works_here(pid) or not Path("/proc/self").exists():
            left = [pid] if pid > 0 else []  # 0 would be ourselves
        else:  # a busy one would go on for as long as its query takes
            left = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
            left, how = list(filter(self._works_here, left)), signal.SIGQUIT
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def _remove_stale(self, socket_folder: Path) -> None:
        """Remove what a killed server left behind, once no process of it is left."""
        for name in sockets.FILES:
            (socket_folder / name).unlink(missing_ok=True)
        pid = self._postmaster()[0]
        if pid > 0 and _exists(pid):  # PostgreSQL would take the pid's new owner for a server
            (self._data / "postmaster.pid").unlink()

    def _stuck(self) -> EmbeddedServerError:
        pid = self._postmaster()[0]
        return EmbeddedServerError(
            f"The PostgreSQL in {self.home} neither answers nor ends (process {pid}); see "
            f"{self._log}, end its processes, then try again."
        )


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
