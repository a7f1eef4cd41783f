"""What users of LlamaIndex's OpenAI-like integrations suffer from, and which test here holds each of it off."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

FAULTS = {
    "unknown model: ValueError from metadata": "p01_surface::test_unknown_models_are_fine",
    "completions endpoint by default: 404": "p01_surface::test_metadata_is_told_without_asking_anybody",
    "function calling off by default": "p01_surface::test_is_an_llm",
    "default window of 3900 tokens": "compatible_setup::test_unknown_models_have_a_usable_size_that_can_be_said",
    "parallel calls in one delta: all but the first lost": "p03_tool_deltas::test_what_was_meant_is_what_is_called",
    "index missing or always 0": "p03_tool_deltas::test_what_was_meant_is_what_is_called",
    "id and name repeated in every piece": "p03_tool_deltas::test_what_was_meant_is_what_is_called",
    "interleaved indexes": "p03_tool_deltas::test_what_was_meant_is_what_is_called",
    "agent ends with an empty text": "p02_streams::test_an_empty_reply_is_still_a_chunk",
    "reasoning alone: lost": "p02_streams::test_the_last_chunk_is_complete",
    "first reasoning chunk dropped in async": "p02_streams::test_reasoning_arrives_as_deltas",
    "delta null crashes": "p03_tool_deltas::test_what_was_meant_is_what_is_called",
    "reasoning not sent back where it must be": "compatible_setup::test_reasoning_is_sent_back_to_its_origin_only",
    "think tags as text": "compatible_setup::test_think_tags_can_be_reasoning",
    "no usage in streams": "p07_usage::test_token_counts_are_the_providers",
    "usage counted twice": "p07_usage::test_each_call_is_one_event",
    "retries multiply": "p12_retries::test_max_retries_is_the_number_of_extra_requests",
    "event loop is closed": "p11_lifecycle::test_event_loops_come_and_go",
    "parallel_tool_calls and strict sent to third parties": "p04_tool_calls::test_only_what_is_asked_for_is_sent",
    "tool_choice without tools": "p06_structured::test_the_schema_is_sent",
    "fences and null in structured output": "p06_structured::test_objects_in_their_wrappings",
    "system_prompt lost in async structured calls": "p06_structured::test_the_system_prompt_is_said",
    "multimodal tool results flattened": "p05_agents::test_images_from_tools_reach_the_model",
    "blocks dropped or misread": "p09_blocks::test_a_block_is_sent_or_refused_by_name",
    "dict arguments sent as objects": "messages::test_calls_of_other_integrations",
    "messages that cannot be written as JSON": "p14_sessions::test_messages_hold_only_json",
    "key in dicts, reprs, pickles": "p10_secrets::test_no_written_form_holds_the_key",
    "OPENAI variables sent to third parties": "p10_secrets::test_openai_variables_are_never_read",
    "temperature always sent, per-call max_tokens ignored": "compatible_setup::test_a_call_overrides_the_constructor",
    "200 with an error body, empty choices": "p13_bad_servers::test_a_bad_answer_is_a_typed_error_with_the_servers_words",
    "cut stream ends as success": "p13_bad_servers::test_a_cut_stream_is_an_error_with_what_came",
    "closed stream runs on": "p11_lifecycle::test_a_stream_left_early_frees_the_connection_at_once",
    "caller's history changed": "p04_tool_calls::test_the_callers_history_stays_as_it_was",
    "caller's prompt changed": "p06_structured::test_the_callers_objects_stay_as_they_were",
    "slow import": "p15_import::test_a_light_import",
    "quadratic parsing of long arguments": "p05_agents::test_long_arguments_stay_cheap_in_agents",
    "broken arguments run as none": "p05_agents::test_broken_arguments_are_told_to_the_model_and_nothing_runs",
}


@cache
def functions_of(name: str) -> set[str]:
    """Names of the tests in a file, those in classes included."""
    (path,) = [*HERE.glob(f"**/test_{name}.py")]
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if hasattr(node, "name")}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_has_its_test(fault):
    """The test that is named exists."""
    file, _, test = FAULTS[fault].partition("::")

    assert test in functions_of(file)
