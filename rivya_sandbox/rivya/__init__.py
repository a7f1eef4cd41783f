"""Rivya's API: chat with sessions, files, image tasks, credits."""
