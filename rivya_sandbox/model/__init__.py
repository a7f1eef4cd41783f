"""The stand-in that answers: deterministic, quick, sensible for its prompt; and what may answer in its place."""
