"""A rate limiter for LlamaIndex's models that threads, processes and hosts share."""

from llama_index.core.rate_limiter import BaseRateLimiter

from rivya_core.http.clients import Clients
from rivya_core.storage.limits.limiter import RateLimiter


class SharedRateLimiter(RateLimiter, BaseRateLimiter):
    """Requests and tokens per minute, for LlamaIndex's models in any number of processes.

    Requests are served in the order in which they ask, whichever thread, process or host they come from, and are spread
    evenly, so that no minute has more than the limit. The chat models of this package also report the tokens of their
    replies and a server's `Retry-After`, which everybody then waits for; their retries count like other requests.
    Other models and embeddings of LlamaIndex can use it, too; there, call `record` and `hold` yourself.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: Tokens of prompts and replies; None for no limit.
        store: Where the limit is kept: a file's path (SQLite, for one host), a `redis://` URL (for several hosts), or
            None for this process alone.
        name: Tells the limits in one store apart, for example by account and model.
        burst: Requests that may be sent at once after a quiet time. The pace after them is slower, so that no minute
            has more than the limit.
        tokens_per_request: Tokens that a request is expected to need. After the first reply, this is learned.
        longest_hold: Seconds that a server's `Retry-After` can stop everybody.

    Raises:
        ConfigurationError: A number that cannot be right, or a store that cannot be used.

    Example:
        ```python
        from llamaindex_rivya import Rivya, SharedRateLimiter

        limiter = SharedRateLimiter(requests_per_minute=600, store="limits.db")
        llm = Rivya(rate_limiter=limiter)
        ```
    """

    def acquire(self, num_tokens: int = 0) -> None:
        """Wait for the next free moment, for a request of *num_tokens*, or of as many as the last ones if that is 0."""
        Clients().driver.run(self.wait(num_tokens or None))

    async def async_acquire(self, num_tokens: int = 0) -> None:
        """Wait for the next free moment, for a request of *num_tokens*, or of as many as the last ones if that is 0."""
        await Clients().async_driver.run(self.wait(num_tokens or None))
