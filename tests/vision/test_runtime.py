"""Every operation on every runtime, on tensors small enough to compute by hand."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from agegender_vision.graph import Graph, Node
from agegender_vision.runtime import ACCELERATORS, Network, runtimes


class Compile(Protocol):
    def __call__(
        self, *nodes: Node, outputs: tuple[str, ...] = ("out",), **weights: ArrayLike
    ) -> Network: ...


@pytest.fixture(params=["numpy", *ACCELERATORS])
def network(request: pytest.FixtureRequest) -> Compile:
    """Compiles nodes for one runtime after the other."""
    name = request.param
    if name in ACCELERATORS:
        pytest.importorskip(ACCELERATORS[name], reason=f"{name} is not in this environment")

    def compiled(
        *nodes: Node, outputs: tuple[str, ...] = ("out",), **weights: ArrayLike
    ) -> Network:
        arrays = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        return runtimes.get(name).compile(Graph(("image",), outputs, nodes), arrays)

    return compiled


def image(*rows: list[float]) -> NDArray[np.float32]:
    """One picture of one channel, (1, H, W, 1)."""
    return np.array(rows, np.float32)[None, :, :, None]


def conv(**options: object) -> Node:
    weights = {"kernel": "kernel"} | {
        role: role for role in ("bias", "alpha") if options.pop(role, False)
    }
    return Node("conv2d", "out", ("image",), weights, **options)  # type: ignore[arg-type]


RAMP = image([1, 2, 3], [4, 5, 6], [7, 8, 9])
CORNERS = np.array([[1, 0], [0, -1]], np.float32).reshape(2, 2, 1, 1)


def test_conv2d_is_a_correlation(network: Compile) -> None:
    (output,) = network(conv(), kernel=CORNERS)(RAMP)
    # 1 - 5, 2 - 6; 4 - 8, 5 - 9
    np.testing.assert_array_equal(output, image([-4, -4], [-4, -4]))


def test_conv2d_adds_its_bias(network: Compile) -> None:
    (output,) = network(conv(bias=True), kernel=CORNERS, bias=[10])(RAMP)
    np.testing.assert_array_equal(output, image([6, 6], [6, 6]))


def test_conv2d_pads_with_zeros_top_bottom_left_right(network: Compile) -> None:
    (output,) = network(conv(padding=(1, 0, 0, 2)), kernel=CORNERS)(RAMP)
    np.testing.assert_array_equal(output, image([-2, -3, 0, 0], [-4, -4, 3, 0], [-4, -4, 6, 0]))


def test_conv2d_strides(network: Compile) -> None:
    (output,) = network(conv(stride=2), kernel=np.ones((1, 1, 1, 1)))(RAMP)
    np.testing.assert_array_equal(output, image([1, 3], [7, 9]))


def test_conv2d_mixes_channels(network: Compile) -> None:
    pixel = np.array([[[[1, 2, 3]]]], np.float32)
    kernel = np.array([[1, 10], [2, 20], [3, 30]], np.float32).reshape(1, 1, 3, 2)
    (output,) = network(conv(), kernel=kernel)(pixel)
    np.testing.assert_array_equal(output, [[[[14, 140]]]])


def test_relu(network: Compile) -> None:
    (output,) = network(conv(activation="relu"), kernel=np.ones((1, 1, 1, 1)))(image([-1, 0, 2]))
    np.testing.assert_array_equal(output, image([0, 0, 2]))


def test_prelu_has_a_slope_for_each_channel(network: Compile) -> None:
    (output,) = network(
        conv(activation="prelu", alpha=True),
        kernel=np.ones((1, 1, 1, 2)),
        alpha=[0.5, -2],
    )(image([-4, 3]))
    np.testing.assert_array_equal(output, [[[[-2, 8], [3, 3]]]])


def test_max_pool(network: Compile) -> None:
    (output,) = network(Node("max_pool", "out", ("image",), size=2, stride=1))(RAMP)
    np.testing.assert_array_equal(output, image([5, 6], [8, 9]))


def test_max_pool_padding_never_wins(network: Compile) -> None:
    pool = Node("max_pool", "out", ("image",), size=2, stride=2, padding=(0, 1, 0, 1))
    (output,) = network(pool)(-RAMP)
    np.testing.assert_array_equal(output, image([-1, -3], [-7, -9]))


def test_add(network: Compile) -> None:
    double = Node("conv2d", "double", ("image",), {"kernel": "two"})
    total = Node("add", "out", ("image", "double"), activation="relu")
    (output,) = network(double, total, two=np.full((1, 1, 1, 1), 2))(image([-1, 5]))
    np.testing.assert_array_equal(output, image([0, 15]))


def test_an_output_may_flow_on(network: Compile) -> None:
    double = Node("conv2d", "double", ("image",), {"kernel": "two"})
    more = Node("conv2d", "out", ("double",), {"kernel": "two"}, activation="relu")
    outputs = network(double, more, outputs=("out", "double"), two=np.full((1, 1, 1, 1), 2))(
        image([-1, 5])
    )
    np.testing.assert_array_equal(outputs[0], image([0, 20]))
    np.testing.assert_array_equal(outputs[1], image([-2, 10]))


def test_tensors_may_be_called_anything(network: Compile) -> None:
    first = Node("conv2d", "first = 1\n2", ("image",), {"kernel": "two"})
    (output,) = network(
        first,
        Node("add", "out", ("first = 1\n2", "image")),
        two=np.full((1, 1, 1, 1), 2),
    )(image([1, 5]))
    np.testing.assert_array_equal(output, image([3, 15]))


def test_global_average_pool(network: Compile) -> None:
    (output,) = network(Node("global_average_pool", "out", ("image",)))(RAMP)
    np.testing.assert_array_equal(output, [[5]])


def test_flatten_is_row_major_with_channels_last(network: Compile) -> None:
    pictures = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    (output,) = network(Node("flatten", "out", ("image",)))(pictures)
    np.testing.assert_array_equal(output, pictures.reshape(2, 12))


def test_dense(network: Compile) -> None:
    flat = Node("flatten", "flat", ("image",))
    dense = Node(
        "dense",
        "out",
        ("flat",),
        {"kernel": "kernel", "bias": "bias", "alpha": "alpha"},
        activation="prelu",
    )
    (output,) = network(flat, dense, kernel=[[1, 2], [3, -4]], bias=[10, 0], alpha=[1, 0.25])(
        image([1, 2])
    )
    # 1 + 6 + 10; 2 - 8 = -6, times 0.25
    np.testing.assert_array_equal(output, [[17, -1.5]])


def test_softmax_is_over_the_last_axis_and_does_not_overflow(network: Compile) -> None:
    pixels = np.array([[[[0, np.log(3)]]], [[[1000, 0]]]], np.float32)
    (output,) = network(Node("softmax", "out", ("image",)))(pixels)
    expected = np.array([[[[0.25, 0.75]]], [[[1, 0]]]])
    np.testing.assert_allclose(output, expected, rtol=1e-6)


def convolved_slowly(
    pictures: NDArray[np.float32], kernel: NDArray[np.float32], stride: int
) -> NDArray[np.float32]:
    batch, side = pictures.shape[:2]
    size, filters = kernel.shape[0], kernel.shape[3]
    steps = (side - size) // stride + 1
    output = np.zeros((batch, steps, steps, filters), np.float32)
    for n, y, x in np.ndindex(batch, steps, steps):
        top, left = y * stride, x * stride
        window = pictures[n, top : top + size, left : left + size]
        output[n, y, x] = np.tensordot(window, kernel, 3)
    return output


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (3, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize(("batch", "side"), [(1, 97), (1, 12), (7, 12)])
def test_conv2d_equals_its_definition(
    network: Compile, size: int, stride: int, batch: int, side: int
) -> None:
    random = np.random.default_rng(0)
    pictures = random.normal(size=(batch, side, side, 3)).astype(np.float32)
    kernel = random.normal(size=(size, size, 3, 6)).astype(np.float32)
    (output,) = network(conv(stride=stride), kernel=kernel)(pictures)
    np.testing.assert_allclose(
        output, convolved_slowly(pictures, kernel, stride), rtol=1e-4, atol=1e-4
    )


def test_sizes_may_change_and_earlier_results_stay(network: Compile) -> None:
    """Scratch memory is used again; what was handed out is not."""
    net = network(conv(padding=(1, 1, 1, 1)), kernel=np.ones((3, 3, 1, 1)))
    small, large = np.ones((1, 4, 4, 1), np.float32), np.ones((2, 9, 7, 1), np.float32)
    (first,) = net(small)
    before = first.copy()
    net(large)
    (again,) = net(small)
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(again, before)
    assert first[0, :, :, 0].tolist()[0] == [4, 6, 6, 4]


def test_numpy_s_memory_is_bounded_by_the_largest_picture_not_by_how_many_sizes_it_saw() -> None:
    nodes = (
        Node("conv2d", "conv", ("image",), {"kernel": "kernel"}, 1, padding=(1, 1, 1, 1)),
        Node("max_pool", "out", ("conv",), size=3, stride=2, padding=(0, 1, 0, 1)),
    )
    kernel = np.ones((3, 3, 3, 8), np.float32)
    net = runtimes.get("numpy").compile(Graph(("image",), ("out",), nodes), {"kernel": kernel})
    picture = np.zeros((4, 128, 128, 3), np.float32)
    sizes = np.random.default_rng(0).integers([1, 8, 8], [5, 129, 129], (200, 3))

    def memory() -> tuple[int, int]:
        net(picture)
        after_one, _ = tracemalloc.get_traced_memory()
        for images, height, width in sizes:
            net(picture[:images, :height, :width])
        return after_one, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()  # NumPy reports its arrays to it
    with ThreadPoolExecutor(1) as thread:  # it has kept nothing of earlier tests
        after_one, after_all = thread.submit(memory).result()
    tracemalloc.stop()
    assert 1e6 < after_all < 1.05 * after_one
