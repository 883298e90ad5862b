"""The integration cannot tell people apart: that is for the trainer, and stays there."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "agegender"
RESEARCH = ("verification", "embedding", "recognition", "identification")
"""Words in the names of modules and functions that would compare faces."""


def names(path: Path) -> Iterator[str]:
    """Yield what a module imports and defines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def test_nothing_in_the_integration_compares_faces_or_imports_the_trainer() -> None:
    modules = list(INTEGRATION.rglob("*.py"))
    assert len(modules) > 40
    for path in modules:
        assert not any(word in path.stem for word in RESEARCH), path
        for name in names(path):
            assert name.split(".")[0] != "trainer", path
            assert not any(word in name.lower() for word in RESEARCH), (path, name)


def test_the_trainers_tools_are_where_this_test_would_miss_them_otherwise() -> None:
    found = set(names(ROOT / "trainer" / "evaluation" / "verification.py"))
    assert {"embed", "identify", "distances"} <= found


def test_the_vision_package_loads_nothing_of_the_trainer() -> None:
    """All of its modules, in a process of their own."""
    program = """if True:
        import importlib, pkgutil, sys, agegender_vision
        found = pkgutil.walk_packages(agegender_vision.__path__, "agegender_vision.")
        for one in found:
            importlib.import_module(one.name)
        print(*sorted(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "agegender_vision.engine" in loaded
    assert not [name for name in loaded if name.split(".")[0] in {"trainer", "keras"}]


def test_the_bundled_model_gives_answers_and_no_features() -> None:
    """A graph executes to the end: what lies between is not among its outputs."""
    about = json.loads((INTEGRATION / "vision/model/estimator/model.json").read_text("utf-8"))
    assert sorted(about["outputs"]) == ["age", "gender"]
    (graph,) = about["graphs"].values()
    assert sorted(graph["outputs"]) == ["age", "gender"]
