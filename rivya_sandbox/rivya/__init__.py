"""Rivya's half: chat over sessions, files, image tasks, credits."""
