"""`credits()` and `models()` on the chat classes of both frameworks, sync and async."""

import inspect

import httpx
import pytest
import respx

import langchain_rivya
import llamaindex_rivya

FRAMEWORKS = {
    "langchain": {
        "rivya": langchain_rivya.ChatRivya,
        "evolink": langchain_rivya.ChatEvolink,
        "gmi": langchain_rivya.ChatGMI,
    },
    "llamaindex": {"rivya": llamaindex_rivya.Rivya, "evolink": llamaindex_rivya.Evolink, "gmi": llamaindex_rivya.GMI},
}
EVERY_WAY = [(framework, prefix) for framework in FRAMEWORKS for prefix in ("", "a")]


@pytest.fixture(params=EVERY_WAY, ids=lambda way: f"{way[0]}-{'async' if way[1] else 'sync'}")
def ask(request):
    """Make a model of a provider and ask it, in each framework, sync and async."""
    framework, prefix = request.param

    async def asking(provider, name, **where):
        result = getattr(FRAMEWORKS[framework][provider](max_retries=0, **where), prefix + name)()
        return await result if inspect.isawaitable(result) else result

    return asking


async def test_a_balance_goes_down_by_what_a_call_costs(ask, sandbox):
    """`credits()` is the account's balance at Rivya."""
    sandbox.set_credits(41)

    assert await ask("rivya", "credits", api_key=sandbox.api_key, base_url=sandbox.rivya_url) == 41


async def test_the_models_are_those_that_chat(ask, sandbox):
    """`models()` leaves out the image models, which a chat model cannot name."""
    models = await ask("rivya", "models", api_key=sandbox.api_key, base_url=sandbox.rivya_url)

    ids = [model.id for model in models]
    assert "gpt-5-2-chat" in ids
    assert "gpt-image-2" not in ids


async def test_evolinks_balance_is_the_users(ask):
    """Evolink's answer tells the key's and the user's credits; the user's are what can be spent."""
    body = {"success": True, "data": {"token": {"remaining_credits": 1}, "user": {"remaining_credits": 12.5}}}
    with respx.mock(base_url="http://evolink.test/v1") as wire:
        wire.get("/credits").mock(return_value=httpx.Response(200, json=body))

        assert await ask("evolink", "credits", api_key="k", base_url="http://evolink.test/v1") == 12.5


async def test_models_without_a_category_all_count(ask):
    """OpenAI-compatible lists do not say what a model is for."""
    listed = {"object": "list", "data": [{"id": "a/b", "owned_by": "a", "created": 5}, {"id": "c"}]}
    with respx.mock(base_url="http://gmi.test/v1") as wire:
        wire.get("/models").mock(return_value=httpx.Response(200, json=listed))

        models = await ask("gmi", "models", api_key="k", base_url="http://gmi.test/v1")

    assert [(model.id, model.owned_by, model.created) for model in models] == [("a/b", "a", 5), ("c", None, None)]


async def test_a_provider_without_a_balance_says_so_before_anything_is_sent(ask):
    """GMI's API has no balance; the message names where it is shown."""
    with respx.mock(assert_all_called=False) as wire, pytest.raises(NotImplementedError, match=r"gmi .* console"):
        await ask("gmi", "credits", api_key="k", base_url="http://gmi.test/v1")
    assert not wire.calls


@pytest.mark.parametrize("body", [{}, {"current_credits": "many"}, {"current_credits": True}, [], 7], ids=str)
async def test_an_answer_without_a_balance_is_an_error(ask, body):
    """Nothing is made up from an answer that has no number."""
    with respx.mock(base_url="http://rivya.test") as wire:
        wire.get("/credits").mock(return_value=httpx.Response(200, json=body))

        with pytest.raises(llamaindex_rivya.InvalidResponseError, match="current_credits"):
            await ask("rivya", "credits", api_key="k", base_url="http://rivya.test")
