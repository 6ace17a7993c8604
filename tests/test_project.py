"""The project's own rules: import directions, names, settings, lock file, documentation."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
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
from orchestration.configuration.known_names import DEPLOYMENT, setting_names
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import ROOT, SETTINGS

FOLDERS = ("orchestration", "assets", "resources", "sql")  # each may import those to its right
# docs/upgrade.md names commands and files of earlier versions
GUIDES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if path != ROOT / "docs" / "upgrade.md"
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *GUIDES)
DECISIONS = ROOT / "docs" / "decisions.md"
MAY_IMPORT_DAGSTER = (
    "orchestration/*.py",
    "orchestration/*/*.py",
    "orchestration/upgrade/*/instance.py",
    "assets/components.py",
    "assets/delivery/component/*.py",
    "assets/netsuite/assets.py",
    "assets/warehouse/history.py",
    "assets/warehouse/snapshot.py",
    "assets/warehouse/source_tables.py",
    "assets/warehouse/staging.py",
    "assets/failures.py",
    "assets/asset_metadata.py",
    "resources/*/resource.py",
)
# plain Python among them, which the command line, the webhook and the sign-in import without Dagster
MAY_NOT_IMPORT_DAGSTER = (
    "assets/delivery/component/workflow_file.py",
    "orchestration/alerts/conditions.py",
    "orchestration/alerts/notify.py",
    "orchestration/alerts/store.py",
    "orchestration/automation/full_refresh.py",
    "orchestration/automation/groups.py",
    "orchestration/cli/closed_pipe.py",
    "orchestration/cli/doctor.py",
    "orchestration/cli/enable.py",
    "orchestration/cli/exit_codes.py",
    "orchestration/cli/explain.py",
    "orchestration/cli/facts.py",
    "orchestration/cli/fields.py",
    "orchestration/cli/link_list.py",
    "orchestration/cli/links.py",
    "orchestration/cli/main.py",
    "orchestration/cli/new_workflow.py",
    "orchestration/cli/output.py",
    "orchestration/cli/plan_files.py",
    "orchestration/cli/plan_list.py",
    "orchestration/cli/plan_output.py",
    "orchestration/cli/plan_show.py",
    "orchestration/cli/plans.py",
    "orchestration/cli/preview.py",
    "orchestration/cli/records.py",
    "orchestration/cli/report.py",
    "orchestration/cli/run.py",
    "orchestration/cli/start.py",
    "orchestration/cli/summary.py",
    "orchestration/cli/tables.py",
    "orchestration/cli/validate.py",
    "orchestration/clients.py",
    "orchestration/connections.py",
    "orchestration/maintenance/compact.py",
    "orchestration/opened_warehouse.py",
    "orchestration/operator_jobs/plan_actions.py",
    "orchestration/realtime/queue.py",
    "orchestration/realtime/sync_pending.py",
    "orchestration/realtime/webhook.py",
    "orchestration/scale/celery_heartbeat.py",
    "orchestration/configuration/secret_settings.py",
    "orchestration/configuration/settings.py",
    "orchestration/table_needs.py",
    "orchestration/web/access.py",
    "orchestration/web/identity.py",
    "orchestration/web/sign_in.py",
    "orchestration/web/users.py",
    "orchestration/workflow_files.py",
)
NO_TEXT = (".xz", ".png", ".tiny.js")  # archives, pictures, and the copy of a library
PRIVATE_DAGSTER = Path("orchestration/dagster_internals.py")
# a connect module opens the real system or the simulated one, which implements the real one's formats
OPENS_EITHER = "connect"
# imported directly, declared by another package that requires it
COMES_WITH = {
    "annotated-types": "pydantic",
    "celery": "dagster-celery",
    "dagster-shared": "dagster",
    "packaging": "pytest",
    "psycopg2": "psycopg2-binary",
    "sqlalchemy": "dagster",
    "watchdog": "dagster",
    "websockets": "uvicorn",
}
# compared by the benches, in separate environments
PEERS = {"dlt", "drt", "netsuite", "pandas"}
# read, but no settings of Millpond
FOREIGN_VARIABLES = {
    "CI",
    "DAGSTER_EVENT_BATCH_SIZE",
    "DAGSTER_HOME",
    "DEMO_UI",
    "LESS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}
# the brackets keep a pattern from matching itself
UNWANTED = {
    "a path of one machine": re.compile(r"(?<![\w.:])/(?:work|tmp|root|home|opt)\b(?![-.\w])"),
    "a package index": re.compile(r"pypi\.org|pythonhosted\.org|^--[\w-]*index|^--trusted-host", re.MULTILINE),
    "unfinished work": re.compile(r"\bTO[D]O\b|\bFIX[M]E\b"),
    "a reference that only its author knows": re.compile(r"\b(?:issue|session|part) #?[0-9]", re.IGNORECASE),
}


def project_files() -> list[Path]:
    """Return every text file of the project, without caches and the personal .env."""
    tops = [ROOT / name for name in (*FOLDERS, "tests", "docs", ".ci")]
    below = [path for top in tops for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    below = [path for path in below if not path.name.endswith(NO_TEXT)]
    return sorted([*below, *(path for path in ROOT.iterdir() if path.is_file() and path.name != ".env")])


def modules(*folders: str) -> list[Path]:
    """Return the Python files of some folders, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(module: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


@cache
def imports(module: Path) -> frozenset[str]:
    """Return the full names that a module imports, at its top and within functions."""
    found = set[str]()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def packages(module: Path) -> set[str]:
    """Return the top-level packages that a module imports."""
    return {name.partition(".")[0] for name in imports(module)}


def declared() -> dict[str, Requirement]:
    """Return the dependencies of pyproject.toml by name, including those for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return {canonicalize_name(each.name): each for each in map(Requirement, texts)}


def optional() -> set[str]:
    """Return the dependencies of other environments: several machines, and their tests."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return {
        canonicalize_name(Requirement(each).name) for name, texts in extras.items() if name != "dev" for each in texts
    }


def locked() -> dict[str, str]:
    """Return the versions of requirements.lock by name."""
    pins = re.findall(
        r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+) \\$", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    return dict(pins)


def code_in(document: str) -> str:
    """Return the code of a document: fenced blocks and inline code."""
    text = (ROOT / document).read_text()
    return "\n".join([*re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL), *re.findall(r"`[^`\n]+`", text)])


@pytest.mark.parametrize("module", modules(*FOLDERS), ids=str)
def test_imports_point_one_way(module: Path) -> None:
    """From orchestration to sql; an import in the other direction would tie the engine to its callers."""
    left = FOLDERS[: FOLDERS.index(module.parts[0])]

    assert not packages(module) & {*left, "tests"}


def import_graph() -> dict[str, set[str]]:
    """Return each module of the project, by dotted name, with the modules that it imports."""
    files = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in modules(*FOLDERS)}
    return {
        name: {each for full in imports(path) for each in (full, full.rpartition(".")[0]) if each in files} - {name}
        for name, path in files.items()
    }


def sibling_folders(graph: dict[str, set[str]], parent: str) -> dict[str, set[str]]:
    """Return the folders directly within `parent` ("" for the root) with the siblings that their modules import."""

    def folder(module: str) -> str:
        below = module.removeprefix(parent).removeprefix(".").split(".")
        return below[0] if module.startswith(parent) and len(below) > 1 else ""

    found: dict[str, set[str]] = {}
    for module, imported in graph.items():
        if name := folder(module):
            siblings = set() if module.endswith(f".{OPENS_EITHER}") else {*map(folder, imported)} - {"", name}
            found.setdefault(name, set()).update(siblings)
    return found


def circles(graph: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Return the groups of nodes that reach each other, each sorted."""
    reached: dict[str, set[str]] = {}
    for node in graph:
        found, open_nodes = set[str](), [node]
        while open_nodes:
            following = graph.get(open_nodes.pop(), set()) - found
            found |= following
            open_nodes += following
        reached[node] = found
    groups = (tuple(sorted(each for each in reached[node] if node in reached.get(each, ()))) for node in graph)
    return sorted({group for group in groups if group})


def test_circles_are_found() -> None:
    """Nodes that only lead to a circle are not part of it."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [("b", "c")]


def test_no_import_circle() -> None:
    """Modules in a circle can only be understood together; an import within a function would hide one."""
    assert circles(import_graph()) == []


def test_folders_import_one_way() -> None:
    """Of two sibling folders at most one imports the other, directly or through further siblings."""
    graph = import_graph()
    parents = {"", *(".".join(path.parent.parts[:depth]) for path in modules(*FOLDERS) for depth in range(1, 5))}

    assert {parent: found for parent in parents if (found := circles(sibling_folders(graph, parent)))} == {}


def test_nothing_imports_the_command_line() -> None:
    """Commands call services; a service that imported a command would print to its caller."""
    cli = "orchestration.cli"
    users = {
        module for module, used in import_graph().items() if any(f"{name}.".startswith(f"{cli}.") for name in used)
    }

    assert not {module for module in users if not module.startswith(f"{cli}.")}


def test_private_dagster_modules_have_one_importer() -> None:
    """Dagster may change `dagster._…` in any release; then one module must follow."""
    users = {module for module in modules(*FOLDERS) if any(name.startswith("dagster._") for name in imports(module))}

    assert users == {PRIVATE_DAGSTER}


def test_only_the_edges_import_dagster_and_httpx() -> None:
    """The engine, the clients and the sandbox are plain Python, and another HTTP library would change one folder."""
    users = {module: packages(module) for module in modules(*FOLDERS)}
    dagster = [module for module, used in users.items() if "dagster" in used and not may_import_dagster(module)]
    httpx = [module for module, used in users.items() if "httpx" in used and module.parts[0] != "resources"]

    assert not dagster
    assert not httpx


def may_import_dagster(module: Path) -> bool:
    """Return whether a module defines assets, jobs or resources, or operates Dagster."""
    return str(module) not in MAY_NOT_IMPORT_DAGSTER and any(map(module.match, MAY_IMPORT_DAGSTER))


def test_no_import_is_postponed() -> None:
    """Dagster reads annotations while it loads: postponed or type-checking-only imports break the code location."""
    postponed = {"__future__.annotations", "typing.TYPE_CHECKING"}

    assert not [module for module in modules(*FOLDERS, "tests") if imports(module) & postponed]


def test_every_import_is_declared() -> None:
    """A package that is installed by chance would be missing on another machine."""
    origin, known = packages_distributions(), {*FOLDERS, "tests"} | set(sys.stdlib_module_names)
    used = {name for module in modules(*FOLDERS, "tests") for name in packages(module)} - known
    names = {canonicalize_name(origin.get(name, [name])[0]) for name in used}

    assert {COMES_WITH.get(name, name) for name in names} - PEERS <= declared().keys() | optional()


def test_an_init_file_is_one_docstring_line() -> None:
    """The exception, sql/__init__.py, is the module that reads the SQL files."""
    for module in modules(*FOLDERS, "tests"):
        if module.name == "__init__.py" and module != Path("sql/__init__.py"):
            assert ast.get_docstring(tree(module)), module
            assert len((ROOT / module).read_text().splitlines()) == 1, module


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without __init__.py would be missing from an installation."""
    assert not [module for module in modules(*FOLDERS) if not (ROOT / module).with_name("__init__.py").exists()]


def test_no_module_has_a_generic_name() -> None:
    """A module without a subject collects unrelated functions."""
    assert not [
        path for path in modules(*FOLDERS, "tests") if path.stem in {"utils", "helpers", "common", "misc", "other"}
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "sql").rglob("*.sql")), ids=lambda path: path.stem)
def test_every_sql_file_has_a_header(path: Path) -> None:
    """Headers become descriptions, dependencies and checks, so each must exist and be readable."""
    statement = sql.statement(path.parent.name, path.stem)

    assert statement.summary
    assert statement.key
    assert statement.text


def test_no_statement_of_the_warehouse_returns_rows() -> None:
    """DuckLake has no `returning`; without it, both kinds of warehouse return the number of rows."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in modules("assets")}

    assert not [path for path, text in texts.items() if re.search(r"^[^#\n]*\breturning\b", text, re.MULTILINE)]


def settings_of(text: str) -> dict[str, tuple[str, str]]:
    """Return the variables of an env file, each with its comment and its value."""
    found = re.findall(r"((?:^# .*\n)+)^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE)
    return {name: (" ".join(re.findall(r"^# (.*)$", comment, re.MULTILINE)), value) for comment, name, value in found}


def test_env_example_lists_every_setting() -> None:
    """Names, descriptions and defaults are those of the code; secrets are blank and marked."""
    expected = {name: (f"Secret. {text}", "") for name, text in SECRETS.items()}
    for settings in SETTINGS:
        prefix = settings.model_config["env_prefix"]
        for name, field in settings.model_fields.items():
            default = field.default
            # a folder inside the project differs between machines
            value = "" if isinstance(default, Path) and default.is_absolute() else str(default)
            expected[f"{prefix}{name.upper()}"] = (field.description or "", value)

    assert settings_of((ROOT / ".env.example").read_text()) == expected


def test_every_variable_that_is_read_is_documented() -> None:
    """The code reads settings, secrets and a few variables of other programs, and no others."""
    pattern = re.compile(r"""(?:environ(?:\.get|\.setdefault)?|getenv|EnvVar)[(\[]\s*["']([A-Z_]+)["']""")
    read = {name for module in modules(*FOLDERS) for name in pattern.findall((ROOT / module).read_text())}
    known = {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for settings in SETTINGS
        for name in settings.model_fields
    }

    assert read <= known | SECRETS.keys() | FOREIGN_VARIABLES


def test_the_lock_holds_every_dependency() -> None:
    """A dependency added without `make lock` fails here, not at the next installation."""
    pins = locked()

    assert not {name for name, need in declared().items() if not need.specifier.contains(pins.get(name, "0"))}


def test_every_pin_of_the_lock_has_a_hash() -> None:
    """Otherwise pip rejects the whole file."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    for line, following in pairwise(lines):
        assert "==" not in line or line.startswith("#") or following.startswith("    --hash=sha256:"), line


@pytest.mark.parametrize("path", project_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_depends_on_no_machine_or_author(path: Path) -> None:
    """It has no path of one machine, no package index, no unfinished work, and no private reference."""
    text = path.read_text(encoding="utf-8")
    if path.parent.name == "facts":  # they cite public threads by number
        text = re.sub(r"\bissues? #?[0-9]+", "", text, flags=re.IGNORECASE)

    assert not {kind: found[0] for kind, pattern in UNWANTED.items() if (found := pattern.search(text))}


def test_no_module_reads_a_file_beside_the_project() -> None:
    """The demo of two machines is the same; files from elsewhere are options or settings."""
    assert [path for path in modules(*FOLDERS) if "ROOT.parent" in (ROOT / path).read_text(encoding="utf-8")] == []


def commands(document: str) -> Iterator[tuple[str, str]]:
    """Yield the (command, subcommand) pairs of `millpond …` in a document's code."""
    # units, releases and containers may have the name as well: `docker exec millpond millpond doctor`
    code = re.sub(r"^.*\b(?:systemctl|journalctl|helm)\b.*$", "", code_in(document), flags=re.MULTILINE)
    yield from re.findall(r"(?:^|[\s/`])millpond (?!millpond )([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", code, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_documented_command_exists(document: str) -> None:
    """Renamed commands make a document outdated first."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = re.findall(r"(?:^|[\s`])make ([a-z-]+)", code_in(document), re.MULTILINE)

    assert set(made) <= targets
    for command, subcommand in commands(document):
        assert command in set(app), command
        assert command != "sandbox" or subcommand in {*sandbox_app, ""}, subcommand


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_documented_file_exists(document: str) -> None:
    """Links are relative to the document, paths in code to the root; <…>, * and { } are placeholders."""
    text = (ROOT / document).read_text()
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    paths = set(re.findall(rf"`((?:{'|'.join(FOLDERS)}|tests)/[\w./-]+)`", text))

    missing = {link for link in links if not ((ROOT / document).parent / link).exists()}
    assert not missing | {path for path in paths if not (ROOT / path).exists()}


def markdown_files() -> list[Path]:
    """Return every Markdown file but those that quote: earlier versions, and facts about other systems."""
    quoting = {"upgrade.md", "CHANGELOG.md"}
    return [
        path for path in project_files()
        if path.suffix == ".md" and path.name not in quoting and path.parent.name != "facts"
    ]  # fmt: skip


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_documented_setting_exists(path: Path) -> None:
    """A setting that was renamed has no effect; those of an account or connection have its name in the middle."""
    known = setting_names() | set(DEPLOYMENT)
    scoped = (name.partition("_") for name in known if not name.startswith("MILLPOND_"))
    pattern = re.compile("|".join([*known, *(rf"{system}_([A-Z0-9]+_){{1,2}}{rest}" for system, _, rest in scoped)]))
    prefixes = "|".join({name.partition("_")[0] for name in known})
    named = re.findall(rf"\b(?:{prefixes})_[A-Z0-9_]*[A-Z0-9]\b", path.read_text(encoding="utf-8"))

    assert {name for name in named if not pattern.fullmatch(name)} == set()


def test_every_dependency_has_its_reason() -> None:
    """The decisions document lists each one."""
    names = re.findall(r"`([A-Za-z0-9_.-]+)(?:\[\w+\])?`", DECISIONS.read_text())

    assert {*declared(), *optional()} - {*map(canonicalize_name, names)} == set()


def test_every_make_target_has_a_help_text() -> None:
    """`make help` prints them."""
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()

    assert {name for name in phony if not re.search(rf"^{name}:.*## \w", text, re.MULTILINE)} == set()


def test_dagster_accepts_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telemetry is off, the warehouse has one writer, and a killed run releases its slot."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config

        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert pools.default_pool_limit == 1
        assert instance.run_monitoring_enabled
        assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 30


def test_the_workspace_names_a_module_that_exists() -> None:
    """The webserver and the daemon load the same code location."""
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    location = workspace["load_from"][0]["python_module"]

    assert find_spec(location["module_name"])
    assert location["location_name"] == "millpond"
