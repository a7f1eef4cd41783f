"""The public classes that are the same in both packages, for type checkers.

At run time `exports.py` loads each of them from its own module, so that using one does not load the others.
"""

from rivya_core.adapters.batches.progress import BatchReport as BatchReport
from rivya_core.images.contact_sheet import ImageBatch as ImageBatch
from rivya_core.images.result import GeneratedImage as GeneratedImage
from rivya_core.images.sqlite_task_store import SQLiteTaskStore as SQLiteTaskStore
from rivya_core.media.fetch_url import FetchRules as FetchRules
from rivya_core.models import ModelEntry as ModelEntry
from rivya_core.reporting.timeline import SessionTimeline as SessionTimeline
from rivya_core.sessions.ledger import MemoryLedger as MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger as RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger as SQLiteLedger
