"""Chat completions of OpenAI-compatible back ends."""
