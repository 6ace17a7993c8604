"""PostgreSQL, Redis and an S3-compatible store on this machine, for the duration of a test."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

BUCKET = "warehouse"
PATIENCE_S = 60


@dataclass(frozen=True)
class Services:
    """The ports of the three services."""

    postgres: int
    redis: int
    store: int
    folder: Path

    @property
    def catalog(self) -> str:
        """The database's connection string for libpq."""
        return f"host=127.0.0.1 port={self.postgres} user=millpond dbname=millpond"

    @property
    def broker(self) -> str:
        """Redis' URL for Celery."""
        return f"redis://127.0.0.1:{self.redis}/0"

    @property
    def endpoint(self) -> str:
        """The object store's URL."""
        return f"http://127.0.0.1:{self.store}"


def program(name: str) -> str:
    """Return the path of a program; Debian installs PostgreSQL's outside of PATH."""
    folders = os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    found = shutil.which(name, path=os.pathsep.join(folders))
    assert found, f"{name} is not installed; `make test-scale` installs it"
    return found


def free_port() -> int:
    """Return a port that is currently unused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: Sequence[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in its own session; end it with all its child processes."""
    with log.open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **more)  # type: ignore[call-overload]
    try:
        yield started
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(started.pid, number)
                started.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        started.wait()


def wait_for_port(port: int) -> None:
    """Wait until a process listens on a port."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, f"no process listens on port {port}"
        time.sleep(0.05)


@contextmanager
def postgres(folder: Path, port: int) -> Iterator[None]:
    """Run a PostgreSQL cluster; as root, with Debian's user, since PostgreSQL does not run as root."""
    user_ids: Mapping[str, object] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        user_ids = {"user": user.pw_uid, "group": user.pw_gid}
    data = str(folder / "data")
    make = [program("initdb"), "-D", data, "-U", "millpond", "--auth", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user_ids)  # type: ignore[call-overload]
    serve = [program("postgres"), "-D", data, "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    with process(serve, folder / "log", cwd=folder, **user_ids):
        wait_for_port(port)
        create = [program("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "millpond", "millpond"]
        while subprocess.run(create, check=False, capture_output=True).returncode:
            time.sleep(0.1)  # it listens before it accepts connections
        yield


@contextmanager
def services() -> Iterator[Services]:
    """Run all three services in a temporary folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        made = Services(free_port(), free_port(), free_port(), folder)
        (folder / "postgres").mkdir()
        stack.enter_context(postgres(folder / "postgres", made.postgres))
        queue = [
            program("redis-server"),
            "--port",
            str(made.redis),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
        ]
        stack.enter_context(process(queue, folder / "redis.log"))
        store = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(made.store)]
        stack.enter_context(process(store, folder / "store.log"))
        wait_for_port(made.redis)
        wait_for_port(made.store)
        httpx.put(f"{made.endpoint}/{BUCKET}", headers={"Authorization": SIGNED}).raise_for_status()
        yield made


# moto checks the region only
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
