"""The faces of a data set on their way into a manifest.

They are kept in an SQLite file, so that a million of them take no more memory than ten, and
that a preparation that was stopped can go on.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from trainer.data import near
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (purpose TEXT);
CREATE TABLE IF NOT EXISTS faces (
    id INTEGER PRIMARY KEY,
    source TEXT,       -- the file as the data set names it
    reason TEXT,       -- why it is rejected; NULL: it is not
    file TEXT, subject TEXT, age_low REAL, age_high REAL, gender TEXT, split TEXT,
    given TEXT,        -- the split as the data set has it
    attributes TEXT,   -- a JSON object
    sha256 TEXT, fingerprint BLOB,
    near INTEGER,      -- the first of the faces that are nearly the same; NULL: there is none
    person INTEGER     -- the first of the faces that must be in the same split
);
"""
# Of equal pictures the one that is held out stays, and of others one with labels.
_RANK = "CASE split WHEN 'test' THEN 0 WHEN 'val' THEN 1 WHEN 'unlabeled' THEN 3 ELSE 2 END"
_BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Face:
    """A labelled face whose picture was looked at.

    Attributes
    ----------
    sample
        Its labels.
    file
        The picture of the face, relative to the manifest.
    sha256
        Checksum of that file.
    fingerprint
        32 bytes, see :func:`trainer.data.near.fingerprint`.
    """

    sample: Sample
    file: str
    sha256: str
    fingerprint: bytes


class Collection:
    """Faces with their labels, rejections, duplicates and splits.

    Parameters
    ----------
    path
        The file that holds them; None: a temporary one.
    purpose
        What is collected. What a file holds for another purpose is dropped.
    """

    def __init__(self, path: Path | None = None, purpose: str = "") -> None:
        """Open the file, or start it."""
        self._path = path
        # An empty name is a temporary file that nobody else can open.
        self._base = sqlite3.connect(path or "")
        self._base.executescript(_SCHEMA)
        if [(purpose,)] != self._base.execute("SELECT purpose FROM about").fetchall():
            self._base.execute("DELETE FROM faces")
            self._base.execute("DELETE FROM about")
            self._base.execute("INSERT INTO about VALUES (?)", [purpose])
            self._base.commit()

    def __enter__(self) -> Self:
        """Leave the file open until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; delete it if all went well."""
        self.close()
        if kind is None and self._path is not None:
            self._path.unlink()

    def close(self) -> None:
        """Close the file, to be opened again later."""
        self._base.close()

    def __len__(self) -> int:
        """How many faces and rejected files there are."""
        return self._number("SELECT count(*) FROM faces")

    def usable(self) -> int:
        """How many faces are not rejected."""
        return self._number("SELECT count(*) FROM faces WHERE reason IS NULL")

    def add(self, found: Iterable[Face | Rejected]) -> None:
        """Append faces and rejected files, all of them or, if interrupted, none."""
        with self._base:
            for one in found:
                if isinstance(one, Rejected):
                    self._base.execute(
                        "INSERT INTO faces (source, reason) VALUES (?, ?)",
                        [one.file.encode("utf-8", "backslashreplace").decode(), one.reason],
                    )
                    continue
                said = one.sample
                low, high = said.age or (None, None)
                self._base.execute(
                    "INSERT INTO faces (source, file, subject, age_low, age_high, gender, given,"
                    " attributes, sha256, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        said.file,
                        one.file,
                        said.subject,
                        low,
                        high,
                        said.gender,
                        said.split,
                        json.dumps(dict(said.attributes)),
                        one.sha256,
                        one.fingerprint,
                    ],
                )

    def sort_out(self) -> None:
        """Reject copies, and find what is nearly the same and who is the same.

        Raises
        ------
        InputError
            The data set has a subject in two splits.
        """
        with self._base:
            self._base.execute("UPDATE faces SET split = given, near = NULL, person = id")
            self._base.execute("CREATE INDEX IF NOT EXISTS subjects ON faces (subject)")
            self._refuse_shared_subjects()
            self._reject_copies()
            self._find_near()
            self._join_persons()

    def _refuse_shared_subjects(self) -> None:
        found = self._base.execute(
            "SELECT subject, group_concat(DISTINCT split) FROM faces"
            " WHERE reason IS NULL AND subject IS NOT NULL AND split IS NOT NULL"
            " GROUP BY subject HAVING count(DISTINCT split) > 1"
        ).fetchall()
        if found:
            subject, splits = found[0]
            names = " and ".join(sorted(splits.split(",")))
            msg = (
                f"subject {subject!r} is in the splits {names} "
                f"({len(found)} such subjects). Put each into one split, or leave the split "
                "empty to have it drawn."
            )
            raise InputError(msg)

    def _reject_copies(self) -> None:
        self._base.execute("CREATE INDEX IF NOT EXISTS checksums ON faces (sha256)")
        self._base.execute(
            f"""
            WITH ranked AS (
                SELECT id, first_value(id) OVER (PARTITION BY sha256 ORDER BY {_RANK}, id) AS kept
                FROM faces WHERE reason IS NULL
            )
            UPDATE faces SET reason = 'same picture as ' || same.source || CASE
                WHEN same.age_low IS faces.age_low AND same.age_high IS faces.age_high
                    AND same.gender IS faces.gender THEN ''
                ELSE ', which has other labels' END
            FROM ranked JOIN faces AS same ON same.id = ranked.kept
            WHERE faces.id = ranked.id AND ranked.kept != ranked.id
            """  # noqa: S608  # our own constant
        )

    def _find_near(self) -> None:
        links = [np.empty((0, 2), np.int64)]
        # Equal fingerprints first, so that many copies of one picture cost no more than two.
        equal = self._base.execute(
            "SELECT first, id FROM (SELECT id, min(id) OVER (PARTITION BY fingerprint) AS first"
            " FROM faces WHERE reason IS NULL) WHERE id != first"
        )
        while rows := equal.fetchmany(_BLOCK):
            links.append(np.array(rows, np.int64))
        for chunk in range(near.CHUNKS):
            links += near.pairs(self._fingerprints(chunk), chunk)
        self._base.executemany(
            "UPDATE faces SET near = ?2 WHERE id = ?1", near.groups(np.concatenate(links))
        )

    def _fingerprints(self, chunk: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint16]]]:
        """Yield the faces in blocks, sorted by one chunk of their fingerprints."""
        found = self._base.execute(
            "SELECT min(id), fingerprint FROM faces WHERE reason IS NULL"
            # Bytes sort as big-endian numbers do.
            " GROUP BY fingerprint ORDER BY substr(fingerprint, ?, 2)",
            [2 * chunk + 1],
        )
        while rows := found.fetchmany(_BLOCK):
            data = b"".join(row[1] for row in rows)
            prints = np.frombuffer(data, ">u2").reshape(-1, near.CHUNKS).astype(np.uint16)
            yield np.array([row[0] for row in rows], np.int64), prints

    def _join_persons(self) -> None:
        self._base.execute(
            "UPDATE faces SET person = first FROM (SELECT subject AS who, min(id) AS first"
            " FROM faces WHERE reason IS NULL GROUP BY subject) WHERE subject = who"
        )
        linked = self._base.execute(
            "SELECT DISTINCT faces.person, same.person FROM faces"
            " JOIN faces AS same ON same.id = faces.near"
            " WHERE faces.reason IS NULL AND faces.person != same.person"
        ).fetchall()
        self._base.execute("CREATE INDEX IF NOT EXISTS persons ON faces (person)")
        self._base.executemany(
            "UPDATE faces SET person = ?2 WHERE person = ?1",
            near.groups(np.array(linked, np.int64).reshape(-1, 2)),
        )

    def draw(self, shares: Mapping[str, float], seed: int) -> None:
        """Draw the split of each person whose split is not given.

        Men and women, and all decades of age, come into each split in equal measure: persons
        are taken in order of both, at random within, and each goes to the split that lacks
        most.

        Parameters
        ----------
        shares
            Of the faces to be drawn, for each split; they sum to 1. A split that the data
            set itself has is not drawn for: its share goes to the others.
        seed
            Of the drawing.

        Raises
        ------
        InputError
            A split gets no face, or lacks a gender that the others have.
        """
        given = {
            name
            for (name,) in self._base.execute(
                "SELECT DISTINCT split FROM faces WHERE reason IS NULL AND split IS NOT NULL"
            )
        }
        wanted = {name: share for name, share in shares.items() if share and name not in given}
        wanted |= {} if wanted else {"train": 1.0}
        self._base.create_function(
            "shuffled", 1, lambda file: _shuffled(seed, file), deterministic=True
        )
        # Of a subject of whom the data set has placed some faces, the others follow.
        self._base.execute(
            "UPDATE faces SET split = (SELECT max(given) FROM faces AS placed"
            " WHERE placed.subject = faces.subject AND placed.reason IS NULL)"
            " WHERE split IS NULL AND subject IS NOT NULL"
        )
        persons = self._base.execute(
            "SELECT person, count(*) FROM faces WHERE reason IS NULL AND split IS NULL"
            " GROUP BY person ORDER BY min(gender), CAST(avg(age_low + age_high) / 20 AS INTEGER),"
            " shuffled(min(file))"
        )
        self._base.execute("CREATE TEMP TABLE IF NOT EXISTS drawn (who INTEGER, place TEXT)")
        self._base.execute("DELETE FROM drawn")
        self._base.executemany("INSERT INTO drawn VALUES (?, ?)", _dealt(persons, wanted))
        self._base.execute("CREATE INDEX IF NOT EXISTS temp.whose ON drawn (who)")
        changed = self._base.execute(
            "UPDATE faces SET split = (SELECT place FROM drawn WHERE who = person)"
            " WHERE reason IS NULL AND split IS NULL"
        ).rowcount
        self._base.commit()
        if changed:
            self._refuse_gaps([name for name, share in shares.items() if share], changed)

    def _refuse_gaps(self, splits: list[str], drawn: int) -> None:
        counts = {
            (split, gender): count
            for split, gender, count in self._base.execute(
                "SELECT split, gender, count(*) FROM faces WHERE reason IS NULL GROUP BY 1, 2"
            )
        }
        for split in splits:
            if not any(found == split for found, _ in counts):
                msg = (
                    f"the split {split!r} is empty: {drawn} faces of as many people as there are "
                    f"do not fill all of {', '.join(splits)}. Give it a larger share, such as "
                    f"--{split} 0.3, or none, --{split} 0."
                )
                raise InputError(msg)
            for gender in sorted({gender for _, gender in counts if gender}):
                if (split, gender) not in counts:
                    msg = (
                        f"the split {split!r} has no {gender} face, others have. Give it a "
                        f"larger share (--val, --test), try another --seed, or add pictures."
                    )
                    raise InputError(msg)

    def drop_leaks(self) -> None:
        """Reject the faces of training that are nearly the same as one held out."""
        with self._base:
            self._base.execute(
                f"""
                WITH ranked AS (
                    SELECT id, {_RANK} AS rank,
                        first_value(source) OVER (PARTITION BY near ORDER BY {_RANK}) AS kept,
                        min({_RANK}) OVER (PARTITION BY near) AS best
                    FROM faces WHERE near IS NOT NULL AND reason IS NULL
                )
                UPDATE faces SET reason = 'nearly the same picture as ' || kept ||
                    ', which is held out'
                FROM ranked WHERE faces.id = ranked.id AND rank > best
                """  # noqa: S608  # our own constant
            )

    def leaks(self) -> Iterator[tuple[int, str, str]]:
        """Yield (group, file, split) of faces nearly the same as one held out in another split."""
        return self._base.execute(
            """
            SELECT near, file, split FROM faces WHERE reason IS NULL AND near IN (
                SELECT near FROM faces WHERE reason IS NULL GROUP BY near
                HAVING count(DISTINCT split) > 1 AND sum(split IN ('test', 'val'))
            ) ORDER BY near, id
            """
        )

    def near_duplicates(self) -> Iterator[tuple[int, str, str]]:
        """Yield (group, file, split) of all faces that are nearly the same as another."""
        return self._base.execute(
            """
            SELECT near, file, split FROM faces WHERE reason IS NULL AND near IN (
                SELECT near FROM faces WHERE reason IS NULL GROUP BY near HAVING count(*) > 1
            ) ORDER BY near, id
            """
        )

    def rejected(self) -> Iterator[tuple[str, str]]:
        """Yield (file as the data set names it, reason)."""
        return self._base.execute(
            "SELECT source, reason FROM faces WHERE reason IS NOT NULL ORDER BY id"
        )

    def counts(self) -> list[tuple[str, int, int, int, int, int]]:
        """Return (split, faces, known subjects, female, male, faces with an age) by split."""
        return self._base.execute(
            "SELECT split, count(*), count(DISTINCT subject), sum(gender IS 'female'),"
            " sum(gender IS 'male'), count(age_low) FROM faces WHERE reason IS NULL"
            " GROUP BY split ORDER BY split"
        ).fetchall()

    def attributes(self) -> list[str]:
        """Return the names of the further columns."""
        found = self._base.execute(
            "SELECT key FROM faces, json_each(attributes) WHERE reason IS NULL"
            " GROUP BY key ORDER BY min(faces.id), min(json_each.id)"
        )
        return [name for (name,) in found]

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the manifest's rows."""
        with closing(self._base.cursor()) as cursor:
            for file, subject, low, high, gender, split, sha256, attributes in cursor.execute(
                "SELECT file, subject, age_low, age_high, gender, split, sha256, attributes"
                " FROM faces WHERE reason IS NULL ORDER BY id"
            ):
                yield {
                    "file": file,
                    "subject": subject,
                    "age": low if low == high else None,
                    "age_low": low,
                    "age_high": high,
                    "gender": gender,
                    "split": split,
                    "sha256": sha256,
                    **json.loads(attributes),
                }

    def _number(self, query: str) -> int:
        return int(self._base.execute(query).fetchone()[0])


def _shuffled(seed: int, file: str) -> bytes:
    """Return a random place in the order that depends on nothing but the seed and the file."""
    return hashlib.blake2b(f"{seed} {file}".encode(), digest_size=8).digest()


def _dealt(
    persons: Iterable[tuple[int, int]], shares: Mapping[str, float]
) -> Iterator[tuple[int, str]]:
    """Give each person, with so many faces, to the split that lacks most."""
    total = sum(shares.values())
    placed = dict.fromkeys(shares, 0)
    seen = 0
    for person, faces in persons:
        seen += faces
        split = max(shares, key=lambda name: seen * shares[name] / total - placed[name])
        placed[split] += faces
        yield person, split
