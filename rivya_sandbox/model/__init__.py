"""The models: the deterministic stand-in, and another server in its place."""
