"""Small files of the kinds that tests send."""

from __future__ import annotations

import base64
import io
import wave

from PIL import Image


def png() -> bytes:
    """A small image."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def png_url() -> str:
    """The same image as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png()).decode()}"


def wav() -> bytes:
    """A short silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return buffer.getvalue()


def pdf() -> bytes:
    """A PDF with one empty page."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    )
