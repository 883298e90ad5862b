"""What the code that is shipped, and the workflows that build it, never do."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "agegender"
TRAINER = ROOT / "trainer"

PICKLES = {"pickle", "_pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
PROGRAMS = {"subprocess", "pty", "commands"}
CONNECTIONS = {
    *("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "telnetlib", "xmlrpc"),
    *("aiohttp", "requests", "httpx", "urllib3", "websockets", "paho"),
}


def modules(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Return the packages that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def users(folder: Path, packages: set[str]) -> set[str]:
    return {path for path, tree in modules(folder) if imported(tree) & packages}


def calls(folder: Path) -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
    """Yield (module, what is called, its named arguments)."""
    for path, tree in modules(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                arguments = {each.arg or "**": each.value for each in node.keywords}
                yield path, ast.unparse(node.func), arguments


def test_what_looks_for_imports_and_calls_finds_them() -> None:
    tree = ast.parse("def f():\n    import pickle.x\n    from os import system\n")
    assert imported(tree) == {"pickle", "os"}
    assert any(called == "subprocess.run" for _, called, _ in calls(INTEGRATION))


def test_nothing_is_unpickled() -> None:
    assert users(INTEGRATION, PICKLES) == set()
    # The package `mtcnn` brings its weights as a pickle; whoever converts them runs its code.
    assert users(TRAINER, PICKLES) == {"trainer/export/mtcnn.py"}
    for folder in (INTEGRATION, TRAINER):
        for path, called, arguments in calls(folder):
            if "allow_pickle" in arguments:
                assert ast.unparse(arguments["allow_pickle"]) == "False", path
            if "safe_mode" in arguments:
                assert ast.unparse(arguments["safe_mode"]) == "True", path
            assert not called.endswith("enable_unsafe_deserialization"), path


def test_no_shell_and_no_code_from_elsewhere_is_run() -> None:
    for folder in (INTEGRATION, TRAINER):
        for path, called, arguments in calls(folder):
            assert called not in {"eval", "exec", "compile", "__import__"}, path
            assert called not in {"os.system", "os.popen"}, path
            assert not called.endswith(("create_subprocess_shell", "getoutput")), path
            assert "shell" not in arguments, path
    # Each runs our own interpreter, or git, with a list of words.
    assert users(INTEGRATION, PROGRAMS) == {"custom_components/agegender/vision/runtime/choice.py"}
    assert users(TRAINER, PROGRAMS) == {"trainer/bench.py", "trainer/run.py"}


def test_the_integration_opens_no_connection() -> None:
    assert users(INTEGRATION, CONNECTIONS) == set()


def test_the_linter_s_rules_of_security_hold_for_all_that_is_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert settings["select"] == ["ALL"]
    excepted = {
        "": settings["ignore"],
        **{
            pattern: rules
            for pattern, rules in settings["per-file-ignores"].items()
            if not pattern.startswith("tests/")
        },
    }
    for pattern, rules in excepted.items():
        assert not [rule for rule in rules if re.fullmatch(r"S\d*", rule)], pattern


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_use_one_commit_of_each_action(path: Path) -> None:
    text = path.read_text("utf-8")
    for line in re.findall(r"(?m)^\s*(?:-\s+)?uses:.*$", text):
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # \S", line), line
    assert re.search(r"(?m)^permissions:\n  contents: read$", text), "they may read, no more"
    # Whoever opens a pull request chooses its title, and what its branch is called.
    for script in re.findall(r"(?m)^\s*(?:-\s+)?run:.*$", text):
        assert "${{" not in script, script
    assert "pull_request_target" not in text


def test_all_pins_are_audited_daily() -> None:
    audit = (ROOT / ".github" / "workflows" / "audit.yml").read_text("utf-8")
    assert "schedule:" in audit
    for pins in (ROOT / "requirements").glob("*.txt"):
        assert f"pins: {pins.stem}\n" in audit
        assert "--hash=sha256:" in pins.read_text("utf-8")
