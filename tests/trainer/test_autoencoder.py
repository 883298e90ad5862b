"""The stacked denoising autoencoder: shapes, corruption, and that it learns."""

import keras
import numpy as np
import pytest

from trainer.models import autoencoder, encoders


def test_every_stage_halves_the_side_and_its_decoder_doubles_it_again() -> None:
    stages = encoders.residual(32, (4, 8))
    decoders = autoencoder.decoders(32, (4, 8))
    assert [stage.output_shape for stage in stages] == [(None, 16, 16, 4), (None, 8, 8, 8)]
    for stage, decoder in zip(stages, decoders, strict=True):
        assert decoder.input_shape == stage.output_shape
        assert decoder.output_shape == stage.input_shape


def test_the_deeper_encoder_begins_as_the_other_one() -> None:
    image = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    stack, deeper = (
        autoencoder.chain(made(32, (4, 8, 16)), "encoder")
        for made in (encoders.residual, encoders.deeper)
    )
    assert len(deeper.weights) > len(stack.weights)
    weights = {weight.path: weight for weight in stack.weights}
    for weight in deeper.weights:
        if weight.path in weights:
            weight.assign(weights[weight.path])
    np.testing.assert_array_equal(deeper(image), stack(image))


def test_corruption_masks_whole_blocks_in_all_channels() -> None:
    corruption = autoencoder.Corruption(masking=0.5, noise=0.0, block=4, seed=1)
    image = np.full((8, 16, 16, 3), 0.5, np.float32)
    corrupted = np.asarray(corruption(image, training=True))
    blocks = corrupted.reshape(8, 4, 4, 4, 4, 3)
    assert (np.ptp(blocks, axis=(2, 4, 5)) == 0).all()
    assert set(np.unique(corrupted)) == {0, 0.5}
    assert (corrupted == 0).mean() == pytest.approx(0.5, abs=0.15)


def test_corruption_leaves_inference_alone() -> None:
    corruption = autoencoder.Corruption(masking=0.5, noise=1.0)
    image = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(corruption(image, training=False), image)


def test_a_stage_learns_to_remove_the_corruption() -> None:
    keras.utils.set_random_seed(0)
    rows = np.linspace(0, 255, 16, dtype=np.float32)[:, None, None]
    random = np.random.default_rng(0)
    images = np.broadcast_to(rows, (16, 16, 3)) * random.random((64, 1, 1, 3), np.float32)
    (stage,), (decoder,) = encoders.residual(16, (8,)), autoencoder.decoders(16, (8,))
    model = autoencoder.DenoisingAutoencoder(
        None, autoencoder.Corruption(0.2, 0.2, seed=1), stage, decoder
    )
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    losses = model.fit(images, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert losses[0] > 2 * losses[-1]
    assert losses[-1] < 0.4, "1 is what predicting the mean gives"


def test_the_stages_below_stay_as_they_are() -> None:
    first, second = encoders.residual(16, (4, 8))
    model = autoencoder.DenoisingAutoencoder(
        autoencoder.chain([first], "below"),
        autoencoder.Corruption(0.2, 0.2),
        second,
        autoencoder.decoders(16, (4, 8))[1],
    )
    before = [weight.copy() for weight in first.get_weights()]
    model.compile("adam", jit_compile=False)
    model.train_on_batch(np.random.default_rng(0).random((8, 16, 16, 3), np.float32) * 255)
    for old, new in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
