"""Training: the autoencoder without labels, then the heads with them."""
