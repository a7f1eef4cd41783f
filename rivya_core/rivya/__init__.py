"""Rivya's API: chat turns over sessions, stream frames, files and credits."""
