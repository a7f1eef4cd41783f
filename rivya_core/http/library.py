"""The HTTP library, imported in one place: httpx, or its successor httpx2 where only that is installed."""

try:
    import httpx
except ModuleNotFoundError:
    import httpx2 as httpx  # type: ignore[no-redef]

__all__ = ["httpx"]
