"""Keys, scopes, credits, error envelopes, the catalogue."""

import pytest

from rivya_sandbox.rivya.catalogue import IMAGE_MODELS


def test_every_answer_has_a_request_id_and_errors_repeat_it(client):
    """The header and the envelope say the same."""
    response = client.get("/generations/task_none")

    assert response.json() == {
        "error": {
            "code": "not_found",
            "message": "The task was not found.",
            "requestId": response.headers["x-request-id"],
        }
    }
    assert client.get("/models").headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "api_key_missing"),
        ("Basic abc", 401, "api_key_missing"),
        ("Bearer", 401, "api_key_missing"),
        ("Bearer rvya_sk_wrong", 401, "api_key_invalid"),
        ("Bearer rvya_sk_old", 401, "api_key_expired"),
        ("Bearer rvya_sk_gone", 401, "api_key_revoked"),
        ("Bearer rvya_sk_little", 403, "api_scope_denied"),
    ],
)
def test_a_key_must_be_there_known_alive_and_allowed(sandbox, header, status, code, web):
    """Each failure has its own code."""
    sandbox.add_key("rvya_sk_old", expired=True)
    sandbox.add_key("rvya_sk_gone", revoked=True)
    sandbox.add_key("rvya_sk_little", scopes=["models:read"])

    response = web.get(f"{sandbox.rivya_url}/credits", headers={"authorization": header} if header else {})

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_an_unknown_scope_is_a_mistake_of_the_test(sandbox):
    """A typing error in a test does not silently lock a key."""
    with pytest.raises(ValueError, match="chat:write"):
        sandbox.add_key("rvya_sk_x", scopes=["chat:write"])


def test_accounts_have_wallets_of_their_own(sandbox, client, chat):
    """One account's costs do not change another's balance; API and sandbox agree."""
    sandbox.add_key("rvya_sk_b", account="b", credits=50)
    chat()

    assert sandbox.credits() == 999_999
    assert sandbox.credits("b") == 50
    assert client.get("/credits").json() == {"current_credits": 999_999}
    assert client.get("/credits", headers={"authorization": "Bearer rvya_sk_b"}).json() == {"current_credits": 50}


def test_the_ledger_adds_up(sandbox, client, chat):
    """The balance is reduced by what was charged and what is still reserved."""
    for number in range(4):
        chat("word " * 1000 * number + "end")
    client.post("/generations", json={"model": "nano-banana-pro", "prompt": "a hill"})

    spent = sum(entry.reserved if entry.final is None else entry.final for entry in sandbox.ledger())
    assert sandbox.credits() == 1_000_000 - spent
    assert [(entry.kind, entry.reserved, entry.final) for entry in sandbox.ledger()][-1] == ("generation", 8, None)
    assert sandbox.ledger()[3].final == 6, "3750 tokens and a few at 3 credits for 2000"


def test_the_catalogue_is_public_and_complete(sandbox, web):
    """Every row has the documented keys; some rows cannot be called."""
    rows = web.get(f"{sandbox.rivya_url}/models").json()

    assert rows["object"] == "list"
    keys = {frozenset(row) for row in rows["data"]}
    assert len(keys) == 1
    assert {"id", "api_status", "params", "reference_media", "chat_capabilities", "notices"} <= next(iter(keys))
    assert {row["api_status"] for row in rows["data"]} == {"available", "coming_soon", "studio_only"}
    by_id = {row["id"]: row for row in rows["data"]}
    assert by_id["z-image"]["base_credits"] == 1
    assert by_id["gpt-image-2"]["reference_media"]["max_items"] == 16
    assert by_id["claude-sonnet-4-6-chat"]["chat_capabilities"]["image_files"] is False
    assert {model.id for model in IMAGE_MODELS} <= set(by_id)


def test_params_are_described_with_options_defaults_and_ranges(client):
    """The columns of the model pages, as JSON."""
    rows = {row["id"]: row for row in client.get("/models").json()["data"]}
    params = {param["key"]: param for param in rows["ideogram-v3"]["params"]}

    assert params["rendering_speed"] == {
        "key": "rendering_speed",
        "type": "select",
        "required": False,
        "default": "BALANCED",
        "options": ["TURBO", "BALANCED", "QUALITY"],
        "range": None,
        "description": "Rendering speed",
    }
    assert params["seed"]["range"] == {"min": 0, "max": None}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/credits", 405)])
def test_strange_paths_and_methods_get_the_envelope_too(client, method, path, status):
    """A client never has to read HTML from the API itself."""
    response = client.request(method, path)

    assert response.status_code == status
    assert response.json()["error"]["requestId"]


def test_outside_the_apis_there_is_plain_text(sandbox, web):
    """A wrong base URL meets something that is not the API."""
    response = web.get(sandbox.url + "/somewhere/else")

    assert (response.status_code, response.text) == (404, "Not Found")
