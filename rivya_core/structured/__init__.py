"""Structured replies: schemas on their way out, objects on their way back."""
