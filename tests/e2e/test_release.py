"""The zip that HACS downloads, as `scripts/package` makes it, and Home Assistants it runs in."""

import asyncio
import json
import os
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import pytest_socket
import skimage.data

from scripts.demo_home import instance
from tests.e2e.home import problems, running, until
from tests.e2e.program import ROOT

INTEGRATION = ROOT / "custom_components" / "agegender"
VERSION = "9.8.7-rc1"
PORTRAIT = Path(skimage.data.__file__).with_name("astronaut.png")
PROGRAMS = {
    "pinned": instance.HOME_ASSISTANT,
    "newest": (
        *(str(ROOT / ".venv" / "next" / "bin" / "python"), "-m", "homeassistant"),
        # It fetches what its components need, as on a user's machine. Those two would be
        # compiled; they are here in another version.
        *("--skip-pip-packages", "pymicro-vad,pyspeex-noise"),
    ),
}
WATCHMAN = """\
import os, sys

REPOSITORY, FOUND = os.environ["REPOSITORY"], os.environ["FOUND"]


def notice(event, arguments):
    if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(REPOSITORY) and not path.startswith(REPOSITORY + "/.venv/"):
            file = os.open(FOUND, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(file, os.fsencode(path) + b"\\n")
            os.close(file)


sys.addaudithook(notice)
"""
"""Notes every file and folder of the repository that a Python program opens."""


def package(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "package", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = package(f"v{VERSION}", tmp_path_factory.mktemp("dist"))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_zip_holds_the_contents_of_the_folder(release: Path) -> None:
    assert release.name == json.loads((ROOT / "hacs.json").read_text())["filename"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],  # noqa: S607
        cwd=INTEGRATION,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(release) as archive:
        assert archive.namelist() == sorted(listed.stdout.splitlines())
        assert "vision/model/estimator/weights.npz" in archive.namelist()
        for name in archive.namelist():
            if name != "manifest.json":
                assert archive.read(name) == (INTEGRATION / name).read_bytes()
        manifest = json.loads(archive.read("manifest.json"))
    here = json.loads((INTEGRATION / "manifest.json").read_text())
    assert list(manifest.items()) == list({**here, "version": VERSION}.items())


def test_the_same_contents_make_the_same_zip(release: Path, tmp_path: Path) -> None:
    again = package(VERSION, tmp_path)
    assert Path(again.stdout.strip()).read_bytes() == release.read_bytes()


def git(repository: Path, *command: str) -> None:
    environment = {"HOME": str(repository), "PATH": os.environ["PATH"]}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "test", f"GIT_{who}_EMAIL": "test@example.org"}
    subprocess.run(
        ["git", *command],  # noqa: S607
        cwd=repository,
        check=True,
        capture_output=True,
        env=environment,
    )


def test_the_version_is_that_of_the_tag(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for path in ("scripts/package", "hacs.json", "custom_components/agegender/manifest.json"):
        file = repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((ROOT / path).read_bytes())
    git(repository, "init")
    git(repository, "add", ".")
    git(repository, "commit", "--message", "first")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["python3", "scripts/package"],  # noqa: S607
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )

    untagged = run()
    assert untagged.returncode == 1
    assert "the current commit has 0 tags that name a version" in untagged.stderr

    git(repository, "tag", "stable")
    git(repository, "tag", "v1.2.3")
    tagged = run()
    assert tagged.returncode == 0, tagged.stderr
    with zipfile.ZipFile(repository / "dist" / "agegender.zip") as archive:
        assert json.loads(archive.read("manifest.json"))["version"] == "1.2.3"

    (repository / "custom_components/agegender/new.py").touch()
    changed = run()
    assert changed.returncode == 1
    assert "not as in v1.2.3" in changed.stderr


def test_what_is_no_version_is_refused(tmp_path: Path) -> None:
    done = package("next", tmp_path)
    assert done.returncode == 1
    assert "'next' is no version" in done.stderr
    assert not list(tmp_path.iterdir())


async def run_release(release: Path, folder: Path, program: Sequence[str]) -> None:
    config, watchman, found = folder / "config", folder / "watchman", folder / "found"
    with zipfile.ZipFile(release) as archive:
        archive.extractall(config / "custom_components" / "agegender")
    picture = folder / "shop.png"
    picture.write_bytes(PORTRAIT.read_bytes())
    watchman.mkdir()
    (watchman / "sitecustomize.py").write_text(WATCHMAN)
    under = (
        "env",
        f"--chdir={folder}",
        f"PYTHONPATH={watchman}",
        f"REPOSITORY={ROOT}",
        f"FOUND={found}",
    )
    async with running(config, under=under, program=program) as home:
        manifest = await home.client.call("manifest/get", integration="agegender")
        assert manifest["version"] == VERSION
        await home.watch(picture, {"acknowledged": True}, interval=2)

        async def counted() -> bool:
            return (await home.states()).get("sensor.shop_people_in_view") == "1"

        await until(counted, "a person in view")
        entry = await home.entry()
        assert entry["state"] == "loaded"
        # Nothing is left when it goes.
        await home.client.delete_entry(entry["entry_id"])
        assert await home.states() == {}
    assert not list(config.glob(".storage/agegender*"))
    assert problems(config) == []
    assert not found.exists(), found.read_text()


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_release_runs_in_an_empty_home_assistant(
    release: Path, tmp_path: Path, program: Sequence[str]
) -> None:
    pytest_socket.enable_socket()
    asyncio.run(run_release(release, tmp_path, program))
