"""LangChain's own standard suites, unit and integration, for the OpenAI-compatible chat models on the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_rivya import ChatEvolink, ChatGMI, ChatOpenAICompatible
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


class _Evolink(_Capabilities):
    chat_model_class = ChatEvolink
    model_override_value = "gpt-5.1"
    name = "EVOLINK"


class _GMI(_Capabilities):
    chat_model_class = ChatGMI
    model_override_value = "openai/gpt-5.1"
    name = "GMI"


class _Compatible(_Capabilities):
    chat_model_class = ChatOpenAICompatible
    model_override_value = "gpt-4.1"
    name = ""


class _Unit(ChatModelUnitTests):
    name = ""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        given = {} if self.name else {"model": "gpt-5.2", "base_url": "http://127.0.0.1:9/v1"}
        return {"api_key": "sk-unit-test", **given}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        if not self.name:  # nothing of another back end is read from the environment
            return {"COMPATIBLE_API_KEY": "sk-unit-test"}, self.chat_model_params, {"api_key": "sk-unit-test"}
        return {f"{self.name}_API_KEY": "sk-from-env"}, {}, {"api_key": "sk-from-env"}


class TestEvolinkUnit(_Evolink, _Unit):
    pass


class TestGMIUnit(_GMI, _Unit):
    pass


class TestCompatibleUnit(_Compatible, _Unit):
    pass


class _Integration(ChatModelIntegrationTests):
    name = ""

    @pytest.fixture(autouse=True)
    def _served(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    responses = False

    @property
    def chat_model_params(self) -> dict[str, Any]:
        urls = {"EVOLINK": self.sandbox.evolink_url, "GMI": self.sandbox.gmi_url, "": self.sandbox.openai_url}
        given = {} if self.name else {"model": "gpt-5.2"}
        api = {"use_responses_api": True} if self.responses else {}
        return {"api_key": self.sandbox.api_key, "base_url": urls[self.name], **given, **api}

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


class TestEvolinkIntegration(_Evolink, _Integration):
    pass


class TestGMIIntegration(_GMI, _Integration):
    pass


class TestCompatibleIntegration(_Compatible, _Integration):
    pass


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


class TestGMIResponses(_GMI, _Responses):
    pass


class TestCompatibleResponses(_Compatible, _Responses):
    pass
