"""Pins a thin distribution to the version of `rivya-integrations` that it is built beside."""

from __future__ import annotations

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class PinnedDependency(MetadataHookInterface):
    """Fills in `dependencies`; the extra to depend on stands in the hook's table in `pyproject.toml`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Depend on exactly this version of the package, with the extra that brings the framework."""
        metadata["dependencies"] = [f"rivya-integrations[{self.config['extra']}]=={metadata['version']}"]
