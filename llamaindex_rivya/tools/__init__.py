"""The image tool spec and what it is made of."""
