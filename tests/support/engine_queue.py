"""The queue's app: `celery -A engine_queue worker`, with the Redis of `RIVYA_REDIS_URL` as its broker."""

from __future__ import annotations

import os

from celery import Celery
from engine_tasks import ask, draw

app = Celery("engines", broker=os.environ["RIVYA_REDIS_URL"], backend=os.environ["RIVYA_REDIS_URL"])


@app.task(name="ask")
def ask_task(prompt: str) -> str:
    """Ask a model that the worker makes from its environment."""
    from langchain_rivya import ChatRivya, SharedRateLimiter

    limiter = SharedRateLimiter(1200, store=os.environ["RIVYA_REDIS_URL"], name="celery")
    return ask(ChatRivya(rate_limiter=limiter), prompt)


@app.task(name="ask LlamaIndex")
def ask_llama_task(prompt: str) -> str:
    """The same with LlamaIndex."""
    from llamaindex_rivya import Rivya, SharedRateLimiter

    return ask(Rivya(rate_limiter=SharedRateLimiter(1200, store=os.environ["RIVYA_REDIS_URL"], name="celery")), prompt)


@app.task(name="draw")
def draw_task(prompt: str) -> str:
    """Make an image with a tool of the worker; its task store is that of `RIVYA_TASK_STORE`."""
    from langchain_rivya import RivyaImageTool

    return draw(RivyaImageTool(output_dir="."), prompt)
