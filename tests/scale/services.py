"""PostgreSQL, Redis and an S3-compatible store on this machine, for as long as a test needs them."""

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
    """Where they answer."""

    postgres: int
    redis: int
    store: int
    folder: Path

    @property
    def catalog(self) -> str:
        """The words of libpq for the database."""
        return f"host=127.0.0.1 port={self.postgres} user=millpond dbname=millpond"

    @property
    def broker(self) -> str:
        """Redis as Celery names it."""
        return f"redis://127.0.0.1:{self.redis}/0"

    @property
    def endpoint(self) -> str:
        """The object store."""
        return f"http://127.0.0.1:{self.store}"


def needed(name: str) -> str:
    """The path of a program, of Debian's packages as well, which leave some out of PATH."""
    places = os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    found = shutil.which(name, path=os.pathsep.join(places))
    assert found, f"there is no {name}; `make test-scale` installs it"
    return found


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: Sequence[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, ended with everything that it started."""
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


def answers(port: int) -> None:
    """Wait until somebody listens there."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < give_up, f"nobody answers on port {port}"
        time.sleep(0.05)


@contextmanager
def postgres(folder: Path, port: int) -> Iterator[None]:
    """A cluster of its own; PostgreSQL refuses to run as root, so it gets Debian's user then."""
    who: Mapping[str, object] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid}
    data = str(folder / "data")
    make = [needed("initdb"), "-D", data, "-U", "millpond", "--auth", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)  # type: ignore[call-overload]
    serve = [needed("postgres"), "-D", data, "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    with process(serve, folder / "log", cwd=folder, **who):
        answers(port)
        create = [needed("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "millpond", "millpond"]
        while subprocess.run(create, check=False, capture_output=True).returncode:
            time.sleep(0.1)  # it listens before it is ready
        yield


@contextmanager
def services() -> Iterator[Services]:
    """All three, in a temporary folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        made = Services(free_port(), free_port(), free_port(), folder)
        (folder / "postgres").mkdir()
        stack.enter_context(postgres(folder / "postgres", made.postgres))
        queue = [
            needed("redis-server"),
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
        answers(made.redis)
        answers(made.store)
        httpx.put(f"{made.endpoint}/{BUCKET}", headers={"Authorization": SIGNED}).raise_for_status()
        yield made


# the stand-in looks at the region only
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
