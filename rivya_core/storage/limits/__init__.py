"""Rate limits that threads, processes and hosts share."""
