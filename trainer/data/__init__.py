"""Data sets: one manifest per data set, and batches of faces made from manifests."""
