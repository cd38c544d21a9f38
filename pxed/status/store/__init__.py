"""The state store: what pxed must still know after a restart or a power cut, in SQLite or PostgreSQL.

Synchronous, for one thread. `open_store` is the way in; pxed/server/state.py is the side of the event loop.
"""

from pxed.status.store.contents import Contents, History
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.store import Store, open_store

__all__ = ["Contents", "History", "Store", "StoreError", "Trouble", "open_store"]
