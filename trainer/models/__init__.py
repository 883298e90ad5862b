"""Networks: the stacked denoising autoencoder and the heads that sit on its encoder."""
