"""LangChain's own standard suites, unit and integration, for the OpenAI-compatible chat models on the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from both_frameworks import OPENAI_PROVIDERS, model_of, url_of
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

import langchain_rivya
from rivya_core.providers import COMPATIBLE, GMI, Provider
from rivya_sandbox import Sandbox


class _Capabilities:
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_audio_inputs = True
    supports_pdf_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True


class _Unit(ChatModelUnitTests):
    provider = COMPATIBLE

    @property
    def chat_model_params(self) -> dict[str, Any]:
        given = {"model": "gpt-5.2", "base_url": "http://127.0.0.1:9/v1"} if self.provider is COMPATIBLE else {}
        return {"api_key": "sk-unit-test", **given}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        if self.provider is COMPATIBLE:  # nothing of another back end is read from the environment
            return {"COMPATIBLE_API_KEY": "sk-unit-test"}, self.chat_model_params, {"api_key": "sk-unit-test"}
        return {self.provider.key_variable: "sk-from-env"}, {}, {"api_key": "sk-from-env"}


class _Integration(ChatModelIntegrationTests):
    provider = COMPATIBLE

    @pytest.fixture(autouse=True)
    def _served(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    responses = False

    @property
    def chat_model_params(self) -> dict[str, Any]:
        where = {"base_url": url_of(self.sandbox, self.provider), **model_of(self.sandbox, self.provider)}
        api = {"use_responses_api": True} if self.responses else {}
        return {"api_key": self.sandbox.api_key, **where, **api}

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        return {"invoke": ["reasoning_output"], "stream": ["reasoning_output"]}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> Any:
        """A reply for which the model reasoned."""
        model = self.chat_model_class(**{**self.chat_model_params, "reasoning_effort": "medium"})
        return _total(model, "Explain why the sky is blue.", stream=stream)


def _total(model: BaseChatModel, question: str, *, stream: bool) -> Any:
    if not stream:
        return model.invoke(question)
    total: Any = None
    for chunk in model.stream(question):
        total = chunk if total is None else total + chunk
    return total


NO_STOP = "The Responses API has no stop sequences (https://platform.openai.com/docs/api-reference/responses/create)"
NO_SOUND = "The Responses API takes no sound as input (same page)"


class _Responses(_Integration):
    responses = True

    @pytest.mark.xfail(reason=NO_STOP, strict=True)
    def test_stop_sequence(self, model: Any) -> None:
        super().test_stop_sequence(model)

    @pytest.mark.xfail(reason=NO_SOUND, strict=True)
    def test_audio_inputs(self, model: Any) -> None:
        super().test_audio_inputs(model)


OTHER_MODELS = {"evolink": "gpt-5.1", "gmi": "openai/gpt-5.1"}
"""What the sandbox has besides the default."""


def _suite(provider: Provider, suite: type, what: str) -> None:
    """Put the class of *provider* through one of LangChain's suites."""
    facts = {
        "provider": provider,
        "chat_model_class": getattr(langchain_rivya, f"Chat{provider.class_name}"),
        "model_override_value": OTHER_MODELS.get(provider.name, "gpt-4.1"),
        "__module__": __name__,
    }
    name = f"Test{provider.class_name}{what}"
    globals()[name] = type(name, (_Capabilities, suite), facts)


for each in OPENAI_PROVIDERS:
    _suite(each, _Unit, "Unit")
    _suite(each, _Integration, "Integration")
for each in (GMI, COMPATIBLE):
    _suite(each, _Responses, "Responses")
