"""Server-held history: pointers with digests, ledgers of session heads, transcripts, and what happened to them."""
