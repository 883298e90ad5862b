"""Compare the runtimes on the same networks and frames, in one run, on one thread each.

All take turns, and processor time is what counts, so that the ratios hold on a busy
machine too; the smallest face looked for is 40 px. ONNX Runtime and OpenCV are here for
comparison only, on ONNX models made from the same graphs. What is not installed is said::

    .venv/uv/bin/uv pip install --python .venv/trainer --target artefacts/onnx --no-deps \
      onnx onnxruntime
    PYTHONPATH=artefacts/onnx OMP_NUM_THREADS=1 .venv/trainer/bin/python \
      benchmarks/runtimes.py [PICTURE...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from agegender_vision import artefact
from agegender_vision.align import align
from agegender_vision.engine import BUNDLED_MODEL
from agegender_vision.estimator import Estimator
from agegender_vision.graph import Graph, Node, Weights
from agegender_vision.mtcnn import Mtcnn
from agegender_vision.runtime import Network, Runtime, runtimes

ROUNDS = 51
SIZE = (640, 480)
PACKAGES = {
    "numpy": "numpy",
    "litert": "ai-edge-litert",
    "ncnn": "ncnn",
    "onnxruntime": "onnxruntime",
    "opencv": "opencv-python-headless",
}

Array = NDArray[np.float32]


class OnnxWriter:
    """Writes a graph as ONNX, channels first, for any number of images of any size."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        """Translate every node."""
        self._onnx = import_module("onnx")
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        for node in graph.nodes:
            made = f"{node.output}/linear" if node.activation != "none" else node.output
            self._operation(node, made)
            self._activation(node, made)
        helper, floats = self._onnx.helper, self._onnx.TensorProto.FLOAT
        side = graph.smallest_side(weights)
        shapes = graph.shapes(weights, side, side)
        given = [helper.make_tensor_value_info(graph.inputs[0], floats, ["n", 3, "h", "w"])]
        asked = [
            helper.make_tensor_value_info(name, floats, [None] * (1 + len(shapes[name])))
            for name in graph.outputs
        ]
        network = helper.make_graph(self._nodes, "network", given, asked, self._constants)
        opset = helper.make_opsetid("", 17)
        model = helper.make_model(network, opset_imports=[opset], ir_version=9)
        self.content: bytes = model.SerializeToString()

    def _operation(self, node: Node, made: str) -> None:
        inputs = list(node.inputs)
        top, bottom, left, right = node.padding
        slides = {"strides": [node.stride] * 2, "pads": [top, left, bottom, right]}
        match node.op:
            case "conv2d":
                kernel = self._weights[node.weights["kernel"]].transpose(3, 2, 0, 1)
                self._add("Conv", [*inputs, *self._kernel(node, kernel)], made, **slides)
            case "dense":
                kernel = self._weights[node.weights["kernel"]]
                self._add("Gemm", [*inputs, *self._kernel(node, kernel)], made)
            case "add":
                self._add("Add", inputs, made)
            case "max_pool":
                self._add("MaxPool", inputs, made, kernel_shape=[node.size] * 2, **slides)
            case "global_average_pool":
                self._add("GlobalAveragePool", inputs, f"{made}/map")
                self._add("Flatten", [f"{made}/map"], made)
            case "flatten":
                self._add("Transpose", inputs, f"{made}/last", perm=[0, 2, 3, 1])
                self._add("Flatten", [f"{made}/last"], made)
            case "softmax":
                self._add("Softmax", inputs, made, axis=1)

    def _activation(self, node: Node, made: str) -> None:
        if node.activation == "relu":
            self._add("Relu", [made], node.output)
        elif node.activation == "prelu":
            shape = (-1, 1, 1) if node.op == "conv2d" else (-1,)
            slopes = self._weights[node.weights["alpha"]].reshape(shape)
            self._add("PRelu", [made, self._constant(f"{made}/slope", slopes)], node.output)

    def _kernel(self, node: Node, kernel: Array) -> list[str]:
        inputs = [self._constant(f"{node.output}/kernel", kernel)]
        if "bias" in node.weights:
            bias = self._weights[node.weights["bias"]]
            inputs.append(self._constant(f"{node.output}/bias", bias))
        return inputs

    def _constant(self, name: str, array: Array) -> str:
        stored = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._constants.append(stored)
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], **attributes))


def channels_last(output: Array) -> Array:
    """(N, C, H, W) to (N, H, W, C); leaves (N, C)."""
    return output.transpose(0, 2, 3, 1) if output.ndim == 4 else output


class OnnxRuntime:
    """Executes graphs with ONNX Runtime."""

    name = "onnxruntime"

    def compile(self, graph: Graph, weights: Weights) -> Network:
        """Prepare a graph for execution."""
        library = import_module("onnxruntime")
        options = library.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = library.InferenceSession(
            OnnxWriter(graph, weights).content, options, providers=["CPUExecutionProvider"]
        )

        def run(batch: Array) -> tuple[Array, ...]:
            given = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            outputs = session.run(list(graph.outputs), {graph.inputs[0]: given})
            return tuple(map(channels_last, outputs))

        return run


class OpenCv:
    """Executes graphs with OpenCV's module for networks."""

    name = "opencv"

    def compile(self, graph: Graph, weights: Weights) -> Network:
        """Prepare a graph for execution."""
        cv2 = import_module("cv2")
        cv2.setNumThreads(1)
        model = np.frombuffer(OnnxWriter(graph, weights).content, np.uint8)
        network = cv2.dnn.readNetFromONNX(model)

        def run(batch: Array) -> tuple[Array, ...]:
            network.setInput(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
            outputs = network.forward(list(graph.outputs))
            return tuple(channels_last(np.array(output)) for output in outputs)

        return run


def runtime(name: str) -> Runtime:
    """Return a runtime of ours or one that is only compared with."""
    others: dict[str, Runtime] = {"onnxruntime": OnnxRuntime(), "opencv": OpenCv()}
    return others[name] if name in others else runtimes.get(name)


class Parts:
    """Detector and estimator on one runtime, and the frames they are asked about."""

    def __init__(self, name: str, frames: list[NDArray[np.uint8]]) -> None:
        """Load both, and find the faces."""
        executor = runtime(name)
        self._frames = frames
        self._detector = Mtcnn(runtime=executor)
        self._estimator = Estimator(artefact.load(BUNDLED_MODEL), executor)
        size, geometry = self._estimator.size, self._estimator.geometry
        self._crops = [
            align(frame, face.landmarks, geometry, size)[None]
            for frame in frames
            for face in self._detector.detect(frame)
        ]

    def find(self) -> list[object]:
        """Look for faces in each frame."""
        return [self._detector.detect(frame) for frame in self._frames]

    def judge(self) -> list[object]:
        """Judge each face by itself."""
        return [self._estimator.estimate(crop) for crop in self._crops]

    def ages(self) -> list[float]:
        """Tell the age of each face."""
        return [self._estimator.estimate(crop)[0].age for crop in self._crops]


def frames_of(pictures: list[Path]) -> list[NDArray[np.uint8]]:
    """Cut each picture to the frame's size."""
    return [
        np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), SIZE), np.uint8)
        for path in pictures
    ]


def memory_of(name: str, pictures: list[Path]) -> float:
    """Return the most megabytes that a process of its own takes over a bare interpreter."""

    def peak(*arguments: str) -> float:
        program = [sys.executable, *arguments]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        answer = subprocess.run(  # noqa: S603  our own interpreter
            program, env=environment, capture_output=True, text=True, check=True
        )
        (line,) = (line for line in answer.stdout.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    bare = "print(open('/proc/self/status').read())"
    return peak(__file__, "--peak", name, *map(str, pictures)) - peak("-c", bare)


def print_peak(name: str, pictures: list[Path]) -> None:
    """Look at every frame a few times, and print what the process took."""
    parts = Parts(name, frames_of(pictures))
    for _ in range(5):
        parts.find()
        parts.judge()
    print(Path("/proc/self/status").read_text("ascii"))


def seconds(call: Callable[[], object]) -> float:
    """Return how much processor time a call takes."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    pictures = [Path(argument) for argument in sys.argv[1:]] or [
        folder_of("skimage") / "data" / "astronaut.png",
        folder_of("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg",
    ]
    frames = frames_of(pictures)
    parts, missing = {}, []
    for name, package in PACKAGES.items():
        try:
            parts[name] = Parts(name, frames)
        except ImportError as error:
            missing.append(f"{package} ({error})")
    faces = len(parts["numpy"].ages())
    print(f"{len(frames)} frames of {SIZE[0]}x{SIZE[1]}, {faces} faces; medians of {ROUNDS} rounds")
    find: dict[str, list[float]] = {name: [] for name in parts}
    judge: dict[str, list[float]] = {name: [] for name in parts}
    order = deque(parts)
    for turn in range(ROUNDS + 1):
        order.rotate()  # what runs before leaves its traces in the caches
        for name in order:
            taken = seconds(parts[name].find), seconds(parts[name].judge)
            if turn:  # the first one warms up
                find[name].append(taken[0] / len(frames))
                judge[name].append(taken[1] / faces)

    reference = parts["numpy"].ages()
    columns = {
        name: (
            median(find[name]) * 1e3,
            median(judge[name]) * 1e3,
            median(a + b for a, b in zip(find[name], judge[name], strict=True)) * 1e3,
        )
        for name in parts
    }
    print("\n| runtime | MTCNN, ms | one face, ms | both | as NumPy | memory, MB | ages differ |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (found, judged, both) in columns.items():
        differ = max(abs(a - b) for a, b in zip(parts[name].ages(), reference, strict=True))
        print(
            f"| {name} {installed(PACKAGES[name])} | {found:.1f} | {judged:.2f} | {both:.1f} "
            f"| {both / columns['numpy'][2]:.2f} | {memory_of(name, pictures):.0f} | {differ:.0e} |"
        )
    others = [values for name, values in columns.items() if name != "numpy"]
    if others:
        ratios = [own / min(values) for own, *values in zip(columns["numpy"], *others, strict=True)]
        print(
            "\nNumPy's time as a multiple of the fastest other's: "
            "MTCNN {:.2f}, one face {:.2f}, both {:.2f}".format(*ratios)
        )
    for each in missing:
        print(f"not installed: {each}")


def folder_of(package: str) -> Path:
    """Return where a package lies, without importing it: that would take memory."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: name pictures of your own")
    return Path(found.origin).parent


def installed(package: str) -> str:
    """Return a package's version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(sys.argv[2], [Path(argument) for argument in sys.argv[3:]])
    else:
        main()
