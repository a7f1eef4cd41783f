"""The LLM classes and what they are made of."""
