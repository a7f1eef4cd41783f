"""Rivya's own wire: chat turns over sessions, the stream's frames, files and credits."""
