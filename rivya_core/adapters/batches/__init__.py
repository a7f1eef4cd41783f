"""Batches that survive the end of their process."""
