"""LangChain's own standard suites, unit and integration, for `ChatRivya` on the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_rivya import ChatRivya
from rivya_sandbox import Sandbox

NO_STOP = "Rivya's chat takes one message and has no stop sequences (https://rivya.ai/docs/api-chat)"

NO_SAMPLING = "Rivya's chat has no `max_tokens`, `temperature` and `stop` (same page); unknown arguments are refused"


class _Capabilities:
    chat_model_class = ChatRivya
    supports_image_inputs = True
    model_override_value = "gpt-5-codex-chat"


class TestUnit(_Capabilities, ChatModelUnitTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"api_key": "rvya_sk_test", "timeout": 60, "max_retries": 2}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """The suite's defaults less `temperature`, `max_tokens` and `stop`, which Rivya's chat does not have."""
        return {"timeout": 60, "max_retries": 2, "api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"RIVYA_API_KEY": "rvya_sk_env", "RIVYA_BASE_URL": "https://elsewhere.example/api/v1"},
            {},
            {"api_key": "rvya_sk_env"},
        )

    @pytest.mark.xfail(reason=NO_SAMPLING, strict=True)
    def test_standard_params(self, model: Any) -> None:
        super().test_standard_params(model)


class TestIntegration(_Capabilities, ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _account(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RIVYA_API_KEY", sandbox.api_key)
        monkeypatch.setenv("RIVYA_BASE_URL", sandbox.rivya_url)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {}

    @pytest.mark.xfail(reason=NO_STOP, strict=True)
    def test_stop_sequence(self, model: Any) -> None:
        super().test_stop_sequence(model)
