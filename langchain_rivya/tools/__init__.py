"""The image tools: LangChain's side of image tasks."""
