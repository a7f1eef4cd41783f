"""Checks of a real service against what this project assumes of it: `make live`."""
