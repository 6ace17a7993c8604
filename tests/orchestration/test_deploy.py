"""The files of `orchestration/deploy` against the schemas of the programs that read them, without a cluster."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import ROOT, SETTINGS

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


def test_the_image_has_no_secret_and_no_data() -> None:
    """Everything is left out but what is listed, and of that every file that holds secrets or records."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert ignored[0] == "*"
    for name in (".env", "home/.env", "assets/.env", "key.pem", "resources/key.pem", ".millpond/ui_token",
                 "x.duckdb", "orchestration/x.sqlite", "tests/x", ".git/config",
                 "assets/suiteprojects_tokens.json"):  # fmt: skip
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
    """`latest` is another program tomorrow."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    bases = [re.search(r"PYTHON_IMAGE=(\S+)", recipe)[1]]  # type: ignore[index]
    bases += [each["image"] for each in read(COMPOSE)["services"].values() if each["image"] != "millpond"]

    assert re.search(r"^USER 10001$", recipe, re.MULTILINE)
    assert all(re.fullmatch(r"[\w/]+:\d+\.\d+[\w.-]*|.*@sha256:[0-9a-f]{64}", base) for base in bases), bases


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


def test_every_locked_package_has_hashes() -> None:
    """A package that was replaced on its index is not installed, and an audit can read the list."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.findall(r"^([A-Za-z0-9_.\[\],-]+)==\S+ (\\?)", lock, re.MULTILINE)

    assert len(pinned) > 50
    assert all(continued for _, continued in pinned), [name for name, continued in pinned if not continued]
    assert "--require-hashes" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_image_installs_the_tested_versions() -> None:
    """The image and `make test-scale` install from the same lock."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    pattern = re.search(r"sed -n '(.*)' requirements.lock", recipe)
    assert pattern
    assert pattern[1] in makefile.replace("$$", "$")
    assert "[scale]" in recipe
    assert "--uid 10001" in recipe


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

    values = read(CHART)["runLauncher"]
    assert values["type"] == "K8sRunLauncher"
    given = values["config"]["k8sRunLauncher"]
    config = {
        "load_incluster_config": given["loadInclusterConfig"],
        "image_pull_policy": given["imagePullPolicy"],
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "dagster_home",
        "run_k8s_config": {
            "container_config": {"resources": given["runK8sConfig"]["containerConfig"]["resources"]},
        },
    }

    checked = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), config)

    assert checked.success, checked.errors
