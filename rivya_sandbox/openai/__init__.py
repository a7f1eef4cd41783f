"""The OpenAI-compatible APIs: chat completions and the Responses API, as OpenAI, Evolink and GMI Cloud serve them."""
