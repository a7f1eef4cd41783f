"""The media host: byte ranges, and API keys that must not reach it."""

import httpx
import pytest

from rivya_sandbox import Fault, serve


def test_media_can_be_read_in_parts(web, upload, png, sandbox):
    """A client resumes a broken download; a range beyond the end is 416."""
    content = png(size=(300, 200))
    url = upload(content).json()["url"]
    sandbox.fault(Fault(path="/media", cut=100))

    with pytest.raises(httpx.RemoteProtocolError, match="received 100 bytes"):
        web.get(url)
    rest = web.get(url, headers={"range": "bytes=100-"})

    assert (rest.status_code, rest.content) == (206, content[100:])
    assert rest.headers["content-range"] == f"bytes 100-{len(content) - 1}/{len(content)}"
    assert web.get(url, headers={"range": "bytes=0-9"}).content == content[:10]
    assert web.get(url, headers={"range": "bytes=99999-"}).status_code == 416
    assert web.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'}).content == content
    assert web.get(url.replace(".png", ".gif")).status_code == 404
    assert int(web.head(url).headers["content-length"]) == len(content)


def test_a_key_that_reaches_the_media_host_is_noted(png):
    """On a separate port. A request without a key is not recorded, and the key itself never is."""
    with serve(separate_media=True) as sandbox, httpx.Client() as client:
        headers = {"authorization": f"Bearer {sandbox.api_key}"}
        files = {"file": ("a.png", png(), "image/png")}
        url = client.post(f"{sandbox.rivya_url}/files", files=files, data={"kind": "image"}, headers=headers).json()[
            "url"
        ]
        assert not url.startswith(sandbox.url)
        assert url.startswith(sandbox.media_url)

        assert client.get(url).status_code == 200
        assert sandbox.media_leaks == []
        assert client.get(url, headers=headers).status_code == 200
        assert [leak.account for leak in sandbox.media_leaks] == ["default"]
        assert sandbox.api_key not in repr(sandbox.media_leaks)
        assert client.get(f"{sandbox.media_url}/api/v1/models").status_code == 404
