"""The HTTP core: plans and their drivers, clients, endpoints, retries, errors, JSON and server-sent events."""
