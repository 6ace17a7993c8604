"""The project holds itself to its own rules: import order, names, settings, lock, papers."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sql
from orchestration.cli.main import app
from orchestration.cli.sandbox import app as sandbox_app
from orchestration.settings import ROOT, SECRETS, SETTINGS

FOLDERS = ("orchestration", "assets", "resources", "sql")  # each may import what stands to its right
PAPERS = ("README.md", "CONTRIBUTING.md", "DECISIONS.md")
MAY_IMPORT_DAGSTER = (
    "orchestration/*.py",
    "orchestration/alerts/run_failures.py",
    "orchestration/alerts/sensor.py",
    "orchestration/automation/*.py",
    "orchestration/cli/*.py",
    "orchestration/maintenance/*.py",
    "orchestration/operator_jobs/*.py",
    "orchestration/realtime/*.py",
    "orchestration/scale/*.py",
    "orchestration/web/*.py",
    "assets/delivery/component/*.py",
    "assets/netsuite/assets.py",
    "assets/warehouse/*.py",
    "assets/failures.py",
    "assets/asset_metadata.py",
    "resources/*/resource.py",
)
# imported directly, declared through the package that brings it
COMES_WITH = {
    "celery": "dagster-celery",
    "dagster-shared": "dagster",
    "packaging": "pytest",
    "psycopg2": "psycopg2-binary",
    "websockets": "uvicorn",
}
# measured beside ours by the benches, in environments of their own
PEERS = {"dlt", "drt", "netsuite", "pandas"}
NOT_OURS = {"CI", "DAGSTER_HOME", "DEMO_UI"}  # variables that are no settings of Millpond
# the brackets keep a pattern from finding itself
UNWANTED = {
    "a path of one machine": re.compile(r"(?<![\w.:])/(?:work|tmp|root|home|opt)\b(?![-.\w])"),
    "a package index": re.compile(r"pypi\.org|pythonhosted\.org|^--[\w-]*index|^--trusted-host", re.MULTILINE),
    "unfinished work": re.compile(r"\bTO[D]O\b|\bFIX[M]E\b"),
    "a number that only its writer knows": re.compile(r"\b(?:issue|session|part) #?[0-9]", re.IGNORECASE),
}


def project_files() -> list[Path]:
    """Every file of the project, without caches and what a person keeps for himself."""
    tops = [ROOT / name for name in (*FOLDERS, "tests", ".ci")]
    below = [path for top in tops for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted([*below, *(path for path in ROOT.iterdir() if path.is_file() and path.name != ".env")])


def modules(*folders: str) -> list[Path]:
    """The Python files of some folders, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(module: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(module: Path) -> set[str]:
    """What a module imports, by full name, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(module: Path) -> set[str]:
    """The top-level packages that a module imports."""
    return {name.partition(".")[0] for name in imports(module)}


def declared() -> dict[str, Requirement]:
    """The dependencies of pyproject.toml by name, the ones for development included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return {canonicalize_name(each.name): each for each in map(Requirement, texts)}


def beside() -> set[str]:
    """The names of what other environments need: several machines, and their tests."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return {
        canonicalize_name(Requirement(each).name) for name, texts in extras.items() if name != "dev" for each in texts
    }


def locked() -> dict[str, str]:
    """The versions of requirements.lock by name."""
    pins = re.findall(
        r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+) \\$", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    return dict(pins)


def spoken_in(paper: str) -> str:
    """What a paper sets in code: fenced blocks and spans between backticks."""
    text = (ROOT / paper).read_text()
    return "\n".join([*re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL), *re.findall(r"`[^`\n]+`", text)])


@pytest.mark.parametrize("module", modules(*FOLDERS), ids=str)
def test_imports_point_one_way(module: Path) -> None:
    """From orchestration down to sql; an import backwards would tie the engine to what surrounds it."""
    before = FOLDERS[: FOLDERS.index(module.parts[0])]

    assert not packages(module) & {*before, "tests"}


def test_dagster_and_httpx_stay_at_the_edge() -> None:
    """The engine, the clients' logic and the sandbox are plain Python; another HTTP library is one folder away."""
    users = {module: packages(module) for module in modules(*FOLDERS)}
    dagster = [module for module, used in users.items() if "dagster" in used and not may_import_dagster(module)]
    httpx = [module for module, used in users.items() if "httpx" in used and module.parts[0] != "resources"]

    assert not dagster
    assert not httpx


def may_import_dagster(module: Path) -> bool:
    """Whether a module is one of those that speak to Dagster."""
    return any(module.match(pattern) for pattern in MAY_IMPORT_DAGSTER)


def test_imports_are_real() -> None:
    """Dagster reads annotations while it loads: postponed or type-checking-only imports break the code location."""
    unreal = {"__future__.annotations", "typing.TYPE_CHECKING"}

    assert not [module for module in modules(*FOLDERS, "tests") if imports(module) & unreal]


def test_every_import_is_declared() -> None:
    """A package that only happens to be installed would be missing on the next machine."""
    origin, ours = packages_distributions(), {*FOLDERS, "tests"} | set(sys.stdlib_module_names)
    used = {name for module in modules(*FOLDERS, "tests") for name in packages(module)} - ours
    names = {canonicalize_name(origin.get(name, [name])[0]) for name in used}

    assert {COMES_WITH.get(name, name) for name in names} - PEERS <= declared().keys() | beside()


def test_a_package_opens_with_its_sign_and_nothing_else() -> None:
    """An __init__.py is one docstring line; sql/__init__.py is the module that reads the SQL files."""
    for module in modules(*FOLDERS, "tests"):
        if module.name == "__init__.py" and module != Path("sql/__init__.py"):
            assert ast.get_docstring(tree(module)), module
            assert len((ROOT / module).read_text().splitlines()) == 1, module


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without __init__.py would be left out of an installation."""
    assert not [module for module in modules(*FOLDERS) if not (ROOT / module).with_name("__init__.py").exists()]


def test_every_module_is_named_by_its_idea() -> None:
    """A module called after nothing collects everything."""
    assert not [
        path for path in modules(*FOLDERS, "tests") if path.stem in {"utils", "helpers", "common", "misc", "other"}
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "sql").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_sql_file_says_what_it_makes(path: Path) -> None:
    """Headers become descriptions, dependencies and checks, so each must be there and readable."""
    told = sql.statement(path.parent.name, path.stem)

    assert told.summary
    assert told.key
    assert told.text


def settings_of(text: str) -> dict[str, tuple[str, str]]:
    """The variables of an env file, each with the comment above it and its value."""
    found = re.findall(r"((?:^# .*\n)+)^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE)
    return {name: (" ".join(re.findall(r"^# (.*)$", comment, re.MULTILINE)), value) for comment, name, value in found}


def test_env_example_tells_every_setting() -> None:
    """One name, description and default in both places; secrets are blank and marked."""
    expected = {name: (f"Secret. {text}", "") for name, text in SECRETS.items()}
    for settings in SETTINGS:
        prefix = settings.model_config["env_prefix"]
        for name, field in settings.model_fields.items():
            default = field.default
            # a folder inside the project differs from machine to machine
            shown = "" if isinstance(default, Path) and default.is_absolute() else str(default)
            expected[f"{prefix}{name.upper()}"] = (field.description or "", shown)

    assert settings_of((ROOT / ".env.example").read_text()) == expected


def test_no_variable_is_read_in_secret() -> None:
    """Whatever the code asks the environment for is a setting, a secret or a name that others own."""
    pattern = re.compile(r"""(?:environ(?:\.get|\.setdefault)?|getenv|EnvVar)[(\[]\s*["']([A-Z_]+)["']""")
    read = {name for module in modules(*FOLDERS) for name in pattern.findall((ROOT / module).read_text())}
    known = {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for settings in SETTINGS
        for name in settings.model_fields
    }

    assert read <= known | SECRETS.keys() | NOT_OURS


def test_the_lock_holds_every_dependency() -> None:
    """A dependency that was added without `make lock` fails here, not at the next installation."""
    pins = locked()

    assert not {name for name, need in declared().items() if not need.specifier.contains(pins.get(name, "0"))}


def test_the_lock_takes_nothing_without_a_hash() -> None:
    """Each pin goes on with at least one hash; pip would refuse the whole file otherwise."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    for line, following in pairwise(lines):
        assert "==" not in line or line.startswith("#") or following.startswith("    --hash=sha256:"), line


@pytest.mark.parametrize("path", project_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_at_home_everywhere(path: Path) -> None:
    """No path of one machine, no package index, nothing left undone, no word that only its writer understands."""
    text = path.read_text(encoding="utf-8")
    if path.parent.name == "facts":  # they cite threads of public repositories by number
        text = re.sub(r"\bissues? #?[0-9]+", "", text, flags=re.IGNORECASE)

    assert not {what: found[0] for what, pattern in UNWANTED.items() if (found := pattern.search(text))}


def commands(paper: str) -> Iterator[tuple[str, str]]:
    """The (command, subcommand) pairs of `millpond …` in a paper's code."""
    yield from re.findall(r"(?:^|[\s/`])millpond ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", spoken_in(paper), re.MULTILINE)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_command_in_the_papers_exists(paper: str) -> None:
    """Papers go stale first where they name commands."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = re.findall(r"(?:^|[\s`])make ([a-z]+)", spoken_in(paper), re.MULTILINE)

    assert set(made) <= targets
    for command, below in commands(paper):
        assert command in set(app), command
        assert command != "sandbox" or below in {*sandbox_app, ""}, below


@pytest.mark.parametrize("paper", PAPERS)
def test_a_file_named_in_the_papers_exists(paper: str) -> None:
    """Links and the paths of our own folders; names with <…>, * or { } stand for many."""
    text = (ROOT / paper).read_text()
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    paths = set(re.findall(rf"`((?:{'|'.join(FOLDERS)}|tests)/[\w./-]+)`", text))

    assert not {name for name in links | paths if not (ROOT / name).exists()}


def test_every_dependency_has_its_reason() -> None:
    """DECISIONS.md has a line for each."""
    named = {
        canonicalize_name(name) for name in re.findall(r"`([A-Za-z0-9_.\[\]-]+)`", (ROOT / "DECISIONS.md").read_text())
    }

    assert {
        name for name in {*declared(), *beside()} if name not in {each.partition("[")[0] for each in named}
    } == set()


def test_every_target_says_what_it_does() -> None:
    """`make help` lists what a person may call."""
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()

    assert {name for name in phony if not re.search(rf"^{name}:.*## \w", text, re.MULTILINE)} == set()


def test_dagster_reads_its_settings(tmp_path: Path) -> None:
    """No telemetry, one writer, and a killed run gives its place back."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config

        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert pools.default_pool_limit == 1
        assert instance.run_monitoring_enabled
        assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 30


def test_the_workspace_names_a_module_that_exists() -> None:
    """Webserver and daemon load the same code location."""
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    location = workspace["load_from"][0]["python_module"]

    assert find_spec(location["module_name"])
    assert location["location_name"] == "millpond"
