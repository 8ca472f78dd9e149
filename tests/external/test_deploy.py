"""The files in examples: units that systemd understands, and what the Dockerfiles run, as a plain user."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graftwire import Configuration

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
CONFORM = (ROOT / "examples" / "conformance" / "Dockerfile").read_text(encoding="utf-8")
PLAIN = 65534  # the user `nobody`


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, with a program that there is here in place of the one that is installed there."""
    found: list[str] = []
    for name in ("graftwire.service", "graftwire.socket"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/graftwire/bin/graftwire", "/bin/true"))
        found.append(str(tmp_path / name))
    return found


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.external("systemd-analyze")
def test_systemd_understands_the_units(units: list[str]) -> None:
    done = analyze("verify", *units)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.external("systemd-analyze")
def test_the_unit_is_hardened(units: list[str]) -> None:
    """At most 2.0 of the 10 that a unit without any of it has."""
    assert analyze("security", "--offline=true", "--threshold=20", units[0]).returncode == 0


@pytest.mark.external
def test_the_configuration_has_only_what_there_is() -> None:
    made = Configuration.load(DEPLOY / "graftwire.toml", environ={})
    assert [url.text for url in made.urls] == ["tls://*:7443"]
    assert [module.text for module in made.modules] == ["Invoices=shop:Invoices"]


@pytest.fixture
def anybodys_folder() -> Iterator[Path]:
    """A folder that a plain user can enter, which is not true of pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - a plain user has to get there
        yield Path(folder)


def plain(*command: str, cwd: Path, path: Path | None = None) -> subprocess.Popen[str]:
    """A command as a user who is nobody; `path` is looked for programs first."""
    found = os.environ["PATH"] if path is None else f"{path}:{os.environ['PATH']}"
    user = {"user": PLAIN, "group": PLAIN, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={"PATH": found, "HOME": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **user,  # type: ignore[call-overload]
    )


def python() -> str:
    """A Python that a plain user may run: this one may be in a folder of its own user."""
    for each in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if not os.path.exists(each):
            continue
        try:
            with plain(
                each, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))", cwd=Path("/")
            ) as run:
                if run.wait(30) == 0:
                    return each
        except PermissionError:
            continue
    pytest.skip("there is no Python that a plain user may run; install python3-venv")


def build(dockerfile: str, folder: Path) -> Path:
    """Take the steps of a Dockerfile in a clean virtual environment; gives the folder of its programs."""
    source, venv = folder / "src", folder / "venv"
    left_out = shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=left_out)
    subprocess.run([python(), "-m", "venv", venv], check=True)
    steps = re.findall(r"/opt/graftwire/bin/(pip [^\n\\]+)", dockerfile)
    assert [step.split()[1] for step in steps] == ["install", "uninstall"]
    for step in steps:
        words = [word.strip('"') for word in step.split()]
        subprocess.run([venv / "bin" / words[0], "--quiet", *words[1:]], cwd=source, check=True)
    return venv / "bin"


def words_of(dockerfile: str, instruction: str) -> list[str]:
    """The words of an instruction that is written as a list."""
    (command,) = re.findall(rf"^{instruction} \[(.+)\]$", dockerfile, re.MULTILINE)
    return re.findall(r'"([^"]+)"', command)


@pytest.mark.external
@pytest.mark.timeout(600)
def test_what_the_dockerfile_runs(anybodys_folder: Path) -> None:
    """The same steps in a clean virtual environment; the last one as a plain user."""
    etc = anybodys_folder / "etc"
    programs = build(DOCKERFILE, anybodys_folder)
    words = [word.replace("/etc/graftwire", str(etc)) for word in words_of(DOCKERFILE, "CMD")]
    etc.mkdir()
    (etc / "stock.py").write_text(
        "class Stock:\n    async def pieces(self, part: str) -> int:\n        return 4\n"
    )
    (etc / "graftwire.toml").write_text(
        '[gateway]\nlisten = ["tcp://127.0.0.1:0"]\n[security]\nauth = ["anonymous"]\n'
        '[modules.Stock]\nload = "stock:Stock"\n'
    )
    program = str(programs / "graftwire")
    with plain(program, *words, cwd=etc) as served:
        try:
            assert served.stdout is not None
            word, url = served.stdout.readline().split()
            assert word == "listening"
            with plain(program, "call", url, "Stock.pieces", '"bolt"', cwd=etc) as called:
                assert called.communicate(timeout=60) == ("4\n", "")
            served.send_signal(signal.SIGTERM)
            assert served.wait(30) == 0
        finally:
            served.kill()


@pytest.mark.external
@pytest.mark.timeout(600)
def test_the_container_of_the_suite(anybodys_folder: Path) -> None:
    """It tests what is in it, and writes its report, as a plain user."""
    programs = build(CONFORM, anybodys_folder)
    work = anybodys_folder / "work"
    work.mkdir()
    if os.geteuid() == 0:
        os.chown(work, PLAIN, PLAIN)
    words = [*words_of(CONFORM, "ENTRYPOINT"), "--report", "report", *words_of(CONFORM, "CMD")]
    with plain(*words, cwd=work, path=programs) as run:
        out, err = run.communicate(timeout=300)
    assert (run.returncode, err) == (0, ""), out
    assert "Conforms in everything that was played" in out
    assert (work / "report" / "report.html").stat().st_size > 10_000


@pytest.mark.external
@pytest.mark.parametrize("dockerfile", [DOCKERFILE, CONFORM], ids=["deploy", "conformance"])
def test_the_image_runs_as_no_root_and_is_made_in_two_stages(dockerfile: str) -> None:
    stages = re.findall(r"^FROM \S+-slim\S*", dockerfile, re.MULTILINE)
    assert len(stages) == 2
    user = re.findall(r"^USER (\d+):", dockerfile, re.MULTILINE)
    assert [int(each) > 0 for each in user] == [True]
