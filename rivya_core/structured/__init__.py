"""Structured output: writing schemas and reading objects from replies."""
