"""The OpenAI-compatible half: chat completions and the Responses API, as Evolink, GMI Cloud and OpenAI speak them."""
