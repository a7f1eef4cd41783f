"""Image tasks, from the request to the image."""

import io

import httpx
import pytest
from PIL import Image

from rivya_sandbox import Fault, Sandbox
from rivya_sandbox.rivya.catalogue import IMAGE_MODELS


@pytest.fixture
def create(client):
    """Request an image and return the response."""

    def post(model="gpt-image-2", prompt="a green hill at sunset", params=None, **body):
        return client.post("/generations", json={"model": model, "prompt": prompt, "params": params, **body})

    return post


@pytest.fixture
def image_of(client, create, web):
    """Request an image, wait for it and open it."""

    def get(*args, **kwargs):
        created = create(*args, **kwargs)
        assert created.status_code == 200, created.text
        for _ in range(2):
            task = client.get(f"/generations/{created.json()['id']}").json()
        content = web.get(task["result"]["primary_url"])
        assert content.headers["content-type"].startswith("image/")
        return Image.open(io.BytesIO(content.content))

    return get


def refused(response):
    return response.status_code == 400 and response.json()["error"]["code"] == "validation_failed"


def test_a_task_goes_from_queued_over_processing_to_succeeded(sandbox, client, create):
    """As documented; charged in the end, and the same from then on."""
    created = create(client_request_id="order-1").json()
    assert created == {
        "id": created["id"],
        "status": "queued",
        "model": "gpt-image-2",
        "reserved_credits": 3,
        "final_credits": 0,
        "created_at": created["created_at"],
        "updated_at": created["updated_at"],
        "result": None,
        "error": None,
    }

    polls = [client.get(f"/generations/{created['id']}").json() for _ in range(3)]

    assert [poll["status"] for poll in polls] == ["processing", "succeeded", "succeeded"]
    assert [poll["final_credits"] for poll in polls] == [0, 3, 3]
    assert polls[1]["result"]["urls"] == [polls[1]["result"]["primary_url"]]
    assert [(entry.kind, entry.id, entry.final) for entry in sandbox.ledger()] == [("generation", created["id"], 3)]


def test_how_many_looks_it_takes_can_be_set(sandbox, client, create):
    """None, or many."""
    sandbox.tasks.ready_after = 0
    assert client.get(f"/generations/{create().json()['id']}").json()["status"] == "succeeded"

    sandbox.tasks.ready_after = 4
    task = create().json()["id"]
    assert [client.get(f"/generations/{task}").json()["status"] for _ in range(4)][2:] == ["processing", "succeeded"]


async def test_a_task_may_be_ready_by_the_clock_instead():
    """By the sandbox's own clock, which a test can move."""
    now = [0.0]
    sandbox = Sandbox(clock=lambda: now[0])
    sandbox.tasks.ready_in = 60
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(sandbox.app), base_url=sandbox.rivya_url, headers=headers
    ) as client:
        task = (await client.post("/generations", json={"model": "z-image", "prompt": "a hill"})).json()
        seen = []
        for now[0] in (1, 59, 61):
            seen.append((await client.get(f"/generations/{task['id']}")).json())

    assert [one["status"] for one in seen] == ["processing", "processing", "succeeded"]
    assert seen[-1]["updated_at"] == "1970-01-01T00:01:00.000Z"  # when it was ready, not when it was polled


@pytest.mark.parametrize("model", IMAGE_MODELS, ids=lambda model: model.id)
def test_every_model_makes_a_real_image_in_every_form(image_of, model):
    """Each option of each parameter is taken; the file is what `output_format` says."""
    for param in model.params:
        for value in param.options or ((7,) if param.type == "number" else ("fog",)):
            image = image_of(model.id, params={param.key: value})
            assert image.format in ("PNG", "JPEG")
            if param.key == "output_format":
                assert image.format == ("PNG" if value == "png" else "JPEG")


@pytest.mark.parametrize(
    ("model", "params", "size"),
    [
        ("gpt-image-2", {"aspect_ratio": "16:9", "resolution": "1K"}, (256, 144)),
        ("gpt-image-2", {"aspect_ratio": "9:16", "resolution": "2K"}, (288, 512)),
        ("gpt-image-2", {"aspect_ratio": "auto", "resolution": "4K"}, (1024, 1024)),
        ("nano-banana-2", {"aspect_ratio": "8:1"}, (256, 32)),
        ("qwen-image", {"image_size": "portrait_4_3"}, (192, 256)),
        ("4o-image", {"size": "3:2"}, (256, 171)),
        ("google-imagen4-fast", None, (256, 144)),
    ],
)
def test_images_have_the_shape_that_was_asked_for(image_of, model, params, size):
    """Aspect and resolution under each of the models' own keys, and the default."""
    assert image_of(model, params=params).size == size


def test_the_same_request_gives_the_same_image(image_of):
    """Another prompt or another seed gives another one."""
    same, again = image_of(), image_of()
    assert same.tobytes() == again.tobytes()
    assert image_of(prompt="a blue sea").tobytes() != same.tobytes()

    one, two = (image_of("ideogram-v3", params={"seed": seed}) for seed in (1, 2))
    assert one.tobytes() != two.tobytes()


def test_a_reference_shows_through(image_of, upload, png):
    """An uploaded image, and the result of an earlier task; `auto` takes its shape."""
    url = upload(png((255, 0, 0), (80, 40))).json()["url"]
    plain = image_of(prompt="a blue night")

    led = image_of(
        prompt="a blue night",
        params={"aspect_ratio": "auto", "referenceMediaItems": [{"url": url, "kind": "image", "name": "red.png"}]},
    )

    assert led.size == (256, 128)
    assert led.resize((1, 1)).getpixel((0, 0))[0] > plain.resize((1, 1)).getpixel((0, 0))[0] + 60


def test_a_result_can_be_the_reference_of_the_next_order(client, create):
    """Image-to-image on what was made before; a foreign https URL is taken but cannot be fetched here."""
    first = create().json()["id"]
    for _ in range(2):
        url = client.get(f"/generations/{first}").json()["result"]
    items = [
        {"url": url["primary_url"], "kind": "image"},
        {"url": "https://cdn.example.com/a.png", "kind": "image", "mimeType": "image/png"},
    ]

    assert create(params={"referenceMediaItems": items}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-5-2-chat"},
        {"model": "nothing"},
        {"model": "z-image", "prompt": "x" * 1001},
        {"model": "qwen2-image", "prompt": "x" * 801},
        {"prompt": ""},
        {"prompt": None},
        {"files": []},
        {"size": "1:1"},
        {"params": []},
        {"params": {"aspect_ratio": "2:1"}},
        {"params": {"aspect_ratio": 1}},
        {"params": {"aspectRatio": "1:1"}},
        {"model": "ideogram-v3", "params": {"seed": "0"}},
        {"model": "ideogram-v3", "params": {"seed": True}},
        {"model": "ideogram-v3", "params": {"seed": -1}},
        {"model": "ideogram-v3", "params": {"expand_prompt": True}},
        {"model": "z-image", "params": {"referenceMediaItems": []}},
        {"params": {"referenceMediaItems": {}}},
        {"params": {"referenceMediaItems": ["https://example.com/a.png"]}},
        {"params": {"referenceMediaItems": [{"kind": "image"}]}},
        {"params": {"referenceMediaItems": [{"url": "https://example.com/a.mp4", "kind": "video"}]}},
        {"params": {"referenceMediaItems": [{"url": "https://example.com/a", "kind": "image", "alt": "a"}]}},
        {"params": {"referenceMediaItems": [{"url": "https://e.com/a", "kind": "image", "mimeType": "image/gif"}]}},
        {"params": {"referenceMediaItems": [{"url": "http://example.com/a.png", "kind": "image"}]}},
        {"params": {"referenceMediaItems": [{"url": "https://e.com/a.png", "kind": "image"}] * 17}},
    ],
    ids=str,
)
def test_a_request_that_the_model_cannot_fill_costs_nothing(sandbox, client, body):
    """`validation_failed` before anything is reserved."""
    body = {"model": "gpt-image-2", "prompt": "a hill", **body}

    assert refused(client.post("/generations", json=body))
    assert sandbox.ledger() == []


def test_sixteen_references_pass(create, upload, png):
    """The limit itself is allowed."""
    url = upload(png()).json()["url"]

    assert create(params={"referenceMediaItems": [{"url": url, "kind": "image"}] * 16}).status_code == 200


def test_somebody_elses_upload_is_no_reference(sandbox, client, upload, png):
    """Its URL is known to the media host, but not to this account."""
    sandbox.add_key("rvya_sk_b", account="b")
    url = upload(png()).json()["url"]
    body = {"model": "gpt-image-2", "prompt": "x", "params": {"referenceMediaItems": [{"url": url, "kind": "image"}]}}

    assert refused(client.post("/generations", json=body, headers={"authorization": "Bearer rvya_sk_b"}))


def test_without_credits_nothing_begins(sandbox, create):
    """402, no task."""
    sandbox.set_credits(2)

    assert create().status_code == 402
    assert sandbox.tasks.all == []


def test_tasks_of_others_are_not_found(sandbox, client, create):
    """As unknown ones."""
    sandbox.add_key("rvya_sk_b", account="b")
    task = create().json()["id"]

    response = client.get(f"/generations/{task}", headers={"authorization": "Bearer rvya_sk_b"})

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("fault", "error"),
    [("fail", {"code": "generation_failed", "message": "The generation failed."}), ("fail_null", None)],
)
def test_a_task_can_fail_with_a_reason_or_without(sandbox, client, create, fault, error):
    """Nothing is charged; only the one task is met."""
    sandbox.fault(Fault(task=fault))
    client.get("/models")
    failing, fine = create().json()["id"], create().json()["id"]

    for _ in range(2):
        polls = [client.get(f"/generations/{task}").json() for task in (failing, fine)]

    assert [poll["status"] for poll in polls] == ["failed", "succeeded"]
    assert (polls[0]["error"], polls[0]["result"], polls[0]["final_credits"]) == (error, None, 0)
    assert sandbox.credits() == 1_000_000 - 3


def test_a_task_can_be_stuck_or_slow(sandbox, client, create):
    """Stuck never ends; slow takes five times as long."""
    sandbox.fault(Fault(task="stuck"))
    sandbox.fault(Fault(task="slow"))
    stuck, slow = create().json()["id"], create().json()["id"]

    seen = {task: [client.get(f"/generations/{task}").json()["status"] for _ in range(10)] for task in (stuck, slow)}

    assert set(seen[stuck]) == {"processing"}
    assert seen[slow][-2:] == ["processing", "succeeded"]


def test_results_can_have_expired(sandbox, client, create, web):
    """The task says succeeded, the URL says 404."""
    sandbox.fault(Fault(task="expired"))
    task = create().json()["id"]
    for _ in range(2):
        poll = client.get(f"/generations/{task}").json()

    assert poll["status"] == "succeeded"
    assert web.get(poll["result"]["primary_url"]).status_code == 404
