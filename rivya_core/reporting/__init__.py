"""What calls cost and what happened to their sessions."""
