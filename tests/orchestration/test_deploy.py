"""The files of `orchestration/deploy` against the schemas of the programs that read them, without a cluster."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import yaml
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from orchestration.cli.main import app
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import ROOT, SETTINGS
from orchestration.deploy.chart_webserver import options
from tests.orchestration.web.people_server import is_served
from tests.orchestration.web.test_ui import free_port, running, wait_until

DEPLOY = ROOT / "orchestration" / "deploy"
COMPOSE, CHART, INSTANCE = (DEPLOY / name for name in ("compose.yaml", "values.yaml", "dagster.yaml"))
VARIABLES = {f"{each.model_config['env_prefix']}{name.upper()}" for each in SETTINGS for name in each.model_fields} | {
    *SECRETS
}
DATABASE = {f"MILLPOND_DB_{name}" for name in ("HOST", "NAME", "USER", "PASSWORD")}


def read(file: Path) -> Any:
    """Return a YAML file's content."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.yaml")), ids=lambda file: file.name)
def test_every_file_is_yaml_and_names_existing_settings(file: Path) -> None:
    """A variable that no module reads has no effect."""
    assert read(file)

    named = set(re.findall(r"\bMILLPOND_[A-Z0-9_]+", file.read_text(encoding="utf-8")))
    assert named <= VARIABLES | DATABASE


def test_compose_names_existing_services_and_volumes() -> None:
    """The daemon and the webserver find the code location, and every volume is declared."""
    services = read(COMPOSE)["services"]
    assert services["code"]["command"][-1] == "orchestration.definitions"
    assert "orchestration/deploy/workspace.yaml" in services["daemon"]["command"]
    server = read(DEPLOY / "workspace.yaml")["load_from"][0]["grpc_server"]
    assert server["host"] in services
    assert str(server["port"]) in services["code"]["command"]
    needed = {name for each in services.values() for name in each.get("depends_on", {})}
    assert needed <= services.keys()
    named = {volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", [])}
    assert named == read(COMPOSE)["volumes"].keys()
    ours = [each for each in services.values() if each["image"] == "millpond"]
    assert len(ours) == 4
    assert all(f"home:{each['environment']['MILLPOND_HOME']}" in each["volumes"] for each in ours), "switches, alerts"


def test_the_image_has_no_secret_and_no_data() -> None:
    """Everything is left out but what is listed, and of that every file that holds secrets or records."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert ignored[0] == "*"
    for name in (".env", "home/.env", "assets/.env", "key.pem", "resources/key.pem", ".millpond/ui_token",
                 "x.duckdb", "orchestration/x.sqlite", "tests/x", ".git/config",
                 "assets/suiteprojects_tokens.json", "orchestration/deploy/secrets.env", "resources/cert.p12",
                 "assets/backup.tar.gz", "sql/runs.db", "sql/runs.db-wal"):  # fmt: skip
        assert not _is_copied(name, ignored), name
    for name in ("assets/failures.py", "orchestration/workflows/groups.yaml", "sql/__init__.py", "requirements.lock"):
        assert _is_copied(name, ignored), name


def _is_copied(name: str, ignored: list[str]) -> bool:
    """Return whether a file enters the image: the last line that matches it, or a folder above it, decides."""
    copied = True
    for line in ignored:
        pattern, keeps = line.removeprefix("!").rstrip("/").removeprefix("**/"), line.startswith("!")
        parts = name.split("/")
        paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        matched = fnmatch(paths[0], pattern) if "**/" not in line else any(fnmatch(part, pattern) for part in parts)
        copied = keeps if matched else copied
    return copied


def test_the_image_is_not_root_and_every_base_is_pinned() -> None:
    """`latest` is another program tomorrow, and so is a tag whose image is built again."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    bases = [re.search(r"PYTHON_IMAGE=(\S+)", recipe)[1]]  # type: ignore[index]
    images = [each["image"] for each in read(COMPOSE)["services"].values() if each["image"] != "millpond"]
    bases += [re.fullmatch(r"\$\{[A-Z]+_IMAGE:-(.+)\}", image)[1] for image in images]  # type: ignore[index]

    assert re.search(r"^USER 10001$", recipe, re.MULTILINE)
    assert all(re.fullmatch(r"[\w/]+:\d+\.\d+\.?[\w.-]*@sha256:[0-9a-f]{64}", base) for base in bases), bases
    built = read(COMPOSE)["x-millpond"]["build"]["args"]["PYTHON_IMAGE"]
    assert built == f"${{PYTHON_IMAGE:-{bases[0]}}}", "one base, however it is built"


def test_no_process_of_the_image_can_gain_rights() -> None:
    """On Kubernetes as with Compose: a program that is broken into stays the user 10001 without capabilities."""
    services = [each for each in read(COMPOSE)["services"].values() if each["image"] == "millpond"]
    chart = read(CHART)
    containers = [
        *chart["dagster-user-deployments"]["deployments"],
        chart["dagsterWebserver"],
        chart["dagsterDaemon"],
        chart["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["containerConfig"],
    ]

    assert all((each["cap_drop"], each["security_opt"]) == (["ALL"], ["no-new-privileges:true"]) for each in services)
    for each in containers:
        assert each.get("securityContext") == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_ui_of_compose_is_behind_the_sign_in() -> None:
    """Dagster's own webserver lets anyone start runs; a port is open on this machine only."""
    services = read(COMPOSE)["services"]
    commands = [
        " ".join(each.get("command", [])) for each in services.values() if isinstance(each.get("command"), list)
    ]

    assert not any("dagster-webserver" in command for command in commands)
    assert "orchestration.web.webserver" in " ".join(services["webserver"]["command"])
    assert services["webserver"]["environment"]["MILLPOND_UI_TOKEN"].endswith(":?}")
    assert all(port.startswith("127.0.0.1:") for each in services.values() for port in each.get("ports", []))


def test_the_ui_of_kubernetes_is_behind_the_sign_in() -> None:
    """The chart starts `dagster-webserver` of an image, which is the guarded one in ours, as the chart calls it."""
    values, recipe = read(CHART)["dagsterWebserver"], (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    command = (
        "-h 0.0.0.0 -p 3000 -w /dagster-workspace/workspace.yaml --db-statement-timeout 15000 --db-pool-recycle 3600"
    )
    given = options([*command.split(), "--log-level", "info", "--log-format", "json", "--read-only"])

    assert (
        values["image"]["repository"]
        == read(CHART)["dagster-user-deployments"]["deployments"][0]["image"]["repository"]
    )
    assert re.search(r'chart_webserver "\$@"\\n. \\\n\s+> "\$\(command -v dagster-webserver\)"', recipe)
    assert [given.host, str(given.port), str(given.workspace)] == command.split()[1:6:2]
    assert given.read_only
    assert values["service"]["port"] == values["readinessProbe"]["tcpSocket"]["port"]
    with pytest.raises(SystemExit):
        options([*command.split(), "--path-prefix", "/x"])


@pytest.mark.long
def test_the_images_webserver_asks_for_a_sign_in(tmp_path: Path) -> None:
    """As the chart starts it."""
    port = free_port()
    command = [sys.executable, "-m", "orchestration.deploy.chart_webserver", "-h", "127.0.0.1", "-p", str(port)]
    environment = {"MILLPOND_HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)}
    with running([*command, "-w", str(ROOT / "workspace.yaml")], tmp_path / "log", **environment) as process:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_served(address) or process.poll() is not None, 120, "no response")
        assert httpx.get(f"{address}/runs").status_code == 401


LOCKS = (ROOT / "requirements.lock", DEPLOY / "requirements.lock")


@pytest.mark.parametrize("file", LOCKS, ids=["project", "image"])
def test_every_locked_package_has_hashes(file: Path) -> None:
    """A package that was replaced on its index is not installed, and an audit can read the list."""
    lock = file.read_text(encoding="utf-8")
    pinned = re.findall(r"^([A-Za-z0-9_.\[\],-]+)==\S+ (\\?)", lock, re.MULTILINE)

    assert len(pinned) > 50
    assert all(continued for _, continued in pinned), [name for name, continued in pinned if not continued]
    assert "--require-hashes" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_oldest_supported_python_can_install_every_locked_package() -> None:
    """The lock is resolved with one Python 3.11, and Debian's is older than that: its packages may not need more."""
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    needs = {each.name: str(each.metadata["Requires-Python"] or "") for each in distributions()}
    locked = [canonicalize_name(name) for name in pins(LOCKS[0])]
    oldest = oldest.removeprefix(">=") + ".0"

    too_new = {name for name, need in needs.items() if not SpecifierSet(need).contains(oldest)}
    assert not too_new & set(locked)


def pins(file: Path) -> dict[str, str]:
    """Return the versions of a lock by name."""
    found = re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==(\S+) \\$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def test_the_image_installs_the_tested_versions() -> None:
    """Those of the project's lock, except DuckDB's, and what several machines need; each by its hash."""
    project, image = map(pins, LOCKS)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {canonicalize_name(each.name): each for each in map(Requirement, [
        *extras["dependencies"], *extras["optional-dependencies"]["scale"]])}  # fmt: skip

    assert {name for name in image.keys() & project.keys() if image[name] != project[name]} == {"duckdb"}
    assert not {name for name, need in needed.items() if not need.specifier.contains(image.get(name, "0"))}
    assert "setuptools" in image, "the project itself is built without a download"


def test_the_image_installs_nothing_without_a_hash() -> None:
    """Every installation is of the lock, or of the project alone."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    installed = re.findall(r"pip install --no-cache-dir (.*?)(?: \\)?$", recipe, re.MULTILINE)

    assert installed == [
        "--require-hashes -r orchestration/deploy/requirements.lock", "--no-deps --no-build-isolation .",
    ]  # fmt: skip
    assert "--uid 10001" in recipe


def steps() -> list[tuple[str, str]]:
    """Return the instructions of the image: name and arguments, with continued lines joined."""
    recipe = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [line.split(maxsplit=1) for line in recipe.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, " ".join(arguments.split())) for name, arguments in found]


def test_every_instruction_is_one_that_a_builder_knows_and_every_file_enters_the_image() -> None:
    """Sources that exist and are not ignored, variables that are set, a shell's syntax."""
    made, ignored = steps(), (ROOT / ".dockerignore").read_text().splitlines()
    ignored = [line for line in ignored if line and not line.startswith("#")]
    assert {name for name, _ in made} <= {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV"}
    assert [name for name, _ in made][:2] == ["ARG", "FROM"]
    for name, arguments in made:
        if name == "COPY" and arguments != ". .":
            source = arguments.split()[0]
            assert (ROOT / source).exists(), source
            assert _is_copied(source, ignored), source
        if name == "RUN":
            checked = subprocess.run(["sh", "-n", "-c", arguments], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr
        if name == "ENV":
            assert all(re.fullmatch(r"[A-Z_]+=\S+", each) for each in arguments.split()), arguments


def test_the_user_of_the_image_can_read_what_a_private_checkout_had() -> None:
    """A file of mode 0600 keeps its mode in COPY, and belongs to root."""
    names = [f"{name} {arguments}" for name, arguments in steps()]
    copied, opened, user = (
        next(place for place, each in enumerate(names) if each.startswith(start))
        for start in ("COPY . .", "RUN chmod -R a+rX .", "USER")
    )
    assert copied < opened < user


def test_dagster_writes_nothing_into_the_images_own_folder() -> None:
    """It is root's: else each run's page would show the error of a log that cannot be written."""
    settings = read(INSTANCE)
    logs = getattr(import_module(settings["compute_logs"]["module"]), settings["compute_logs"]["class"])

    assert not issubclass(logs, LocalComputeLogManager)
    assert settings["storage"].keys() == {"postgres"}


def test_the_bill_of_materials_and_the_audit_read_both_locks() -> None:
    """A package that was not looked up is no clean result: `--strict` fails without the network."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace(" $(AUDIT_FAILED)", "")
    for tool in ("cyclonedx-py requirements", "pip-audit --strict --require-hashes"):
        read_files = re.findall(rf"{tool}(?:[^\n]*\\\n)?[^\n]* (\S+)$", makefile, re.MULTILINE)
        assert read_files == ["requirements.lock", "$(IMAGE_LOCK)"], tool


@pytest.mark.long
def test_dagster_accepts_the_instance_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Dagster's own schema validates every key and value of dagster.yaml."""
    pytest.importorskip("dagster_postgres", reason="`make test-scale` has an environment with dagster-postgres")
    from dagster._core.instance.config import dagster_instance_config

    for name in DATABASE | {"MILLPOND_CELERY_BROKER"}:
        monkeypatch.setenv(name, "redis://127.0.0.1/0" if "BROKER" in name else "x")
    (tmp_path / "dagster.yaml").write_text(INSTANCE.read_text(encoding="utf-8"))

    config, _ = dagster_instance_config(str(tmp_path))

    assert config["run_launcher"]["class"] == "WatchedRunLauncher"
    launcher = config["run_launcher"]
    data = dg._core.instance.ref.configurable_class_data(launcher)
    assert type(data.rehydrate(as_type=dg._core.launcher.RunLauncher)).__name__ == "WatchedRunLauncher"


def test_compose_accepts_the_file() -> None:
    """The published Compose schema validates compose.yaml."""
    pytest.importorskip("check_jsonschema", reason="`make test-scale` has an environment with check-jsonschema")

    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout


def test_the_kubernetes_launcher_accepts_the_chart_values() -> None:
    """The chart converts these values to K8sRunLauncher's settings, which Dagster's own schema validates."""
    pytest.importorskip("dagster_k8s", reason="`make test-scale` has an environment with dagster-k8s")
    from dagster._config import process_config, resolve_to_config_type
    from dagster_k8s import K8sRunLauncher

    given = read(CHART)["runLauncher"]["config"]["k8sRunLauncher"]
    pods = [read(CHART)["dagsterWebserver"], *read(CHART)["dagster-user-deployments"]["deployments"]]
    writers = [each["podSecurityContext"] for each in pods]
    assert [given["runK8sConfig"]["podSpecConfig"]["securityContext"], *writers] == writers[:1] * 3
    assert writers[0]["fsGroup"] == 10001, "the image's user; a new volume is root's"
    assert all({"name": "MILLPOND_HOME", "value": "/var/lib/millpond"} in each["env"] for each in pods)
    config = {
        "load_incluster_config": True,
        "image_pull_policy": given["imagePullPolicy"],
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "dagster_home",
        "run_k8s_config": {
            "container_config": given["runK8sConfig"]["containerConfig"],
            "pod_spec_config": given["runK8sConfig"]["podSpecConfig"],
        },
    }

    checked = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), config)

    assert checked.success, checked.errors


# what the chart of this version writes into its instance's settings without a value of ours
CHART_SETTINGS = {
    "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator", "config": {}},
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager",
    },
    "run_monitoring": {"enabled": True, "start_timeout_seconds": 300},
    "run_retries": {"enabled": True},
}  # fmt: skip


def snake(value: Any) -> Any:
    """Return values of the chart under the names of dagster.yaml."""
    if not isinstance(value, dict):
        return value
    return {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", key).lower(): snake(each) for key, each in value.items()}


def test_the_chart_has_the_instance_settings_of_compose() -> None:
    """Dagster behaves alike on both; a setting of one that the other lacks would be the default there."""
    values, settings = snake(read(CHART)), read(INSTANCE)
    daemon, written = values["dagster_daemon"], CHART_SETTINGS
    chart = values["additional_instance_config"] | {
        "telemetry": values["telemetry"],
        "python_logs": values["python_logs"],
        "concurrency": {key: each for key, each in values["concurrency"].items() if key != "enabled"},
        "retention": {key: each for key, each in values["retention"].items() if key != "enabled"},
        "run_coordinator": written["run_coordinator"]
        | {"config": daemon["run_coordinator"]["config"]["queued_run_coordinator"]},
        "compute_logs": written["compute_logs"],
        "run_monitoring": written["run_monitoring"] | daemon["run_monitoring"],
        "run_retries": written["run_retries"] | daemon["run_retries"],
    }

    assert values["concurrency"]["enabled"]
    assert values["retention"]["enabled"]
    assert values["postgresql"]["postgresql_scheme"] == settings["storage"]["postgres"]["postgres_db"]["scheme"]
    assert chart == {key: each for key, each in settings.items() if key not in {"storage", "run_launcher"}}


def test_the_units_start_commands_that_exist_as_their_own_user() -> None:
    """On one machine, as the guide installs them; a unit that the guide does not name would not be installed."""
    guide = (ROOT / "docs" / "connect" / "dagster.md").read_text(encoding="utf-8")
    services = sorted((DEPLOY / "systemd").glob("*.service"))

    assert {each.stem for each in services} == {"millpond", "millpond-webhook", "millpond-backup"}
    for unit in services:
        text = unit.read_text(encoding="utf-8")
        (command,) = re.findall(r"^ExecStart=.*\.venv/bin/millpond (\S+)", text, re.MULTILINE)
        assert command in set(app), unit.name
        assert {"User=millpond", "NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077"} <= set(text.splitlines())
        assert unit.stem in guide
    assert (DEPLOY / "systemd" / "millpond-backup.timer").exists()


def test_the_guides_proxy_lets_no_visitor_name_a_user() -> None:
    """With a trusted proxy, its header is a sign-in: nginx passes on what a visitor sends unless it is set."""
    guide = (ROOT / "docs" / "connect" / "dagster.md").read_text(encoding="utf-8")
    blocks = [each for each in re.findall(r"```nginx\n(.*?)```", guide, re.DOTALL) if "127.0.0.1:3000" in each]

    assert len(blocks) == 1
    assert all('proxy_set_header X-Forwarded-User "";' in each for each in blocks)


def test_no_module_of_the_images_path_hides_a_package() -> None:
    """It begins with this folder, for `dagster_celery_config`; a `dagster_webserver.py` here would hide Dagster's."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (path,) = re.findall(r"PYTHONPATH=(\S+)", recipe)
    names = {each.stem for each in DEPLOY.glob("*.py")} - {"__init__"}

    assert path.startswith("/srv/millpond/orchestration/deploy:")
    assert "dagster_celery_config" in names
    assert not {name for name in names if find_spec(name)}


def test_the_image_runs_commands_from_its_project_folder() -> None:
    """An installed copy has neither Dagster's settings nor the workspace, which `millpond ui` reads beside the code."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (folder,) = re.findall(r"^WORKDIR (\S+)$", recipe, re.MULTILINE)
    (path,) = re.findall(r"PYTHONPATH=(\S+)", recipe)

    assert folder in path.split(":")
