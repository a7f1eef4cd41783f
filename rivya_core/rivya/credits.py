"""Credits: what the account has, and budgets that stop before overspending.

https://rivya.ai/docs/api-credits; the place of the balance in a provider's response is set in `providers.py`. Prices of
images with other than default options are on no page, so a budget learns them from what the provider reserves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from rivya_core.errors import BudgetExceededError, ConfigurationError, NotSupportedError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.json_codec import finite_number
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries

PATH = "/credits"
_lock = Lock()


def read_credits(endpoint: Endpoint, retry: RetryPolicy) -> Plan[float]:
    """Return the credits that the account can still spend.

    Raises:
        NotSupportedError: The provider's API does not report a balance; nothing was sent.
        InvalidResponseError: The response holds no balance.
    """
    where = endpoint.provider.balance_at
    if not where:
        raise NotSupportedError(
            f"The API of {endpoint.provider.name} reports no balance; nothing was sent. See the provider's console."
        )
    response = yield from send_with_retries(endpoint.request("GET", PATH), retry)
    amount = parse_json(response)
    for key in where:
        amount = amount.get(key) if isinstance(amount, Mapping) else None
    amount = finite_number(amount)
    if amount is None:
        raise invalid_response(response, f"has no `{'.'.join(where)}`")
    return float(amount)


class BudgetLike(Protocol):
    """What must allow a task before it is submitted."""

    def hold(self, what: str, price: float | None) -> float:
        """Reserve the price of *what* and return the amount, or raise an error."""
        ...

    def learn(self, what: str, held: float, reserved: float | None) -> float:
        """Reserve the provider's amount instead of the *held* amount, and return it."""
        ...

    def settle(self, held: float, final: float | None) -> None:
        """Replace the *held* amount by what was charged."""
        ...


@dataclass
class Budget:
    """A credit budget. Thread-safe.

    Attributes:
        limit: How many.
        spent: Charged so far, including what is reserved for running tasks.
    """

    limit: float
    spent: float = 0.0
    _prices: dict[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Check the limit.

        Raises:
            ConfigurationError: It is not a number from 0 up.
        """
        if not isinstance(self.limit, (int, float)) or not self.limit >= 0:
            raise ConfigurationError(f"A credit budget must be a number from 0 up, not {self.limit!r}.")

    def hold(self, what: str, price: float | None) -> float:
        """Reserve the price of *what*, as seen before or else as expected, and return it.

        Raises:
            BudgetExceededError: The budget does not allow it, or the price is unknown.
        """
        with _lock:
            amount = self._prices.get(what, price)
            if amount is None:
                raise BudgetExceededError(
                    "The model's price is not known, so a credit budget cannot be kept; nothing was sent. Read the "
                    "models from the service first, or set no budget."
                )
            if self.spent + amount > self.limit:
                raise BudgetExceededError(
                    f"An image costs {amount:g} credits and {max(0, self.limit - self.spent):g} of the budget of "
                    f"{self.limit:g} are left; nothing was sent. Raise the budget (`max_credits`) to continue."
                )
            self.spent += amount
            return amount

    def learn(self, what: str, held: float, reserved: float | None) -> float:
        """Reserve the provider's amount instead of the *held* amount, and return it."""
        with _lock:
            amount = held if reserved is None else float(reserved)
            self._prices[what] = amount
            self.spent += amount - held
            return amount

    def settle(self, held: float, final: float | None) -> None:
        """Replace the *held* amount by what was charged."""
        with _lock:
            self.spent += (held if final is None else final) - held


def price_key(body: Mapping[str, Any]) -> str:
    """Return what makes a price: the model and its options, not the prompt, nor which references are shown."""
    params = body.get("params") or {}
    options = sorted((key, str(value)) for key, value in params.items() if not isinstance(value, (list, dict)))
    return repr((body.get("model"), options, "referenceMediaItems" in params))
