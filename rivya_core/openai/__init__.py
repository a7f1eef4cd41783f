"""The wires of OpenAI-compatible back ends: chat completions and the Responses API."""
