"""The PostPress inbox in your warehouse: chats, their arrays, and the ledger of the walks."""

from postpress_source import postpress_source

__all__ = ["postpress_source"]
