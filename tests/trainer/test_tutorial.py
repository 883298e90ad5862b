"""The tutorial, typed line by line as a newcomer would, on a few real faces."""

import re
import shlex
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest

from .conftest import ROOT, agegender

COMMANDS = [
    line
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", (ROOT / "docs/tutorial.md").read_text())
    for line in block.splitlines()
]


@pytest.mark.data
def test_every_line_works(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "UTKFace"
    source.mkdir()
    index = pd.read_csv(shared / "faces96" / "index.csv", dtype=str)
    rows = index[(index["source"] == "utkface") & (index["split"] == "val")].head(72)
    with ZipFile(shared / "faces96" / "val.zip") as shard:
        for number, row in enumerate(rows.to_dict("records")):
            gender = {"M": 0, "F": 1}[row["gender"]]
            name = f"{row['age']}_{gender}_{row['race_src']}_2017011619{number:07}.jpg.chip.jpg"
            (source / name).write_bytes(shard.read(row["file"]))
    home = tmp_path / "agegender"
    home.mkdir()
    monkeypatch.chdir(home)
    for line in COMMANDS:
        program, *words = shlex.split(line)
        assert program == "scripts/agegender"
        agegender(*words)
    for made in ("runs/first/report/report.html", "runs/table/compare.md", "models/first/card.md"):
        assert (home / made).stat().st_size > 500
