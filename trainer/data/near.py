"""Pictures that are nearly the same: the same photograph, saved, resized or lit differently.

A picture's fingerprint is its perceptual hash, the signs of its lowest 16x16 frequencies
against their median (Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010), taken of the aligned face, so that another cut-out of the same photograph
has the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BITS = 256
CHUNKS = BITS // 16
MOST_BITS = 40
"""Fingerprints that differ in at most so many bits are of nearly the same picture."""


def fingerprint(face: Image.Image) -> bytes:
    """Return the 32 bytes of an aligned face's perceptual hash."""
    bits = imagehash.phash(face, hash_size=16).hash
    return np.packbits(bits).tobytes()


def pairs(
    blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.uint16]]], chunk: int
) -> Iterator[NDArray[np.int64]]:
    """Find near pairs among fingerprints that agree in one chunk of 16 bits.

    Two fingerprints that differ in fewer bits than there are chunks agree in one of the
    chunks, and most of those that differ in more do: Norouzi, Punjani and Fleet, "Fast
    search in Hamming space with multi-index hashing", CVPR 2012. So all chunks together
    find what a comparison of each with each would, in a small part of its time.

    Parameters
    ----------
    blocks
        Numbers (N,) and fingerprints (N, 16) of the faces, in blocks of any length, sorted
        by `chunk` over all blocks. One block is held at a time.
    chunk
        Which one, 0 to 15.

    Yields
    ------
    numpy.ndarray
        int64 (M, 2): numbers of faces that are nearly the same.
    """
    numbers = np.empty(0, np.int64)
    prints = np.empty((0, CHUNKS), np.uint16)
    for more, further in blocks:
        numbers, prints = np.concatenate([numbers, more]), np.concatenate([prints, further])
        # The last value may go on in the next block.
        whole = int(np.searchsorted(prints[:, chunk], prints[-1, chunk]))
        yield _compare(numbers[:whole], prints[:whole], chunk)
        numbers, prints = numbers[whole:], prints[whole:]
    yield _compare(numbers, prints, chunk)


def _compare(
    numbers: NDArray[np.int64], prints: NDArray[np.uint16], chunk: int
) -> NDArray[np.int64]:
    keys, words = prints[:, chunk], np.ascontiguousarray(prints).view(np.uint64)
    found = [np.empty((0, 2), np.int64)]
    first = np.arange(len(keys))
    for ahead in range(1, len(keys)):
        first = first[first < len(keys) - ahead]
        first = first[keys[first] == keys[first + ahead]]
        if not len(first):
            break
        differ = np.bitwise_count(words[first] ^ words[first + ahead]).sum(axis=1, dtype=np.int64)
        near = first[differ <= MOST_BITS]
        found.append(np.column_stack([numbers[near], numbers[near + ahead]]))
    return np.concatenate(found)


def groups(linked: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield each number in `linked` (M, 2) and the smallest number it is linked with."""
    numbers, ends = np.unique(linked, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (len(numbers),) * 2)
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    yield from zip(numbers.tolist(), numbers[first[labels]].tolist(), strict=True)
