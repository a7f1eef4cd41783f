"""The image tool spec and its modules."""
