"""What `dlq_records` holds: said once for compute, which parks and replays, and for the backend, which edits."""

from rosetta.dead_letters.payload import Payload, open_payload, payload_binding, seal_payload
from rosetta.dead_letters.rows import ChangeRow, edit_row, read_rows

__all__ = ["ChangeRow", "Payload", "edit_row", "open_payload", "payload_binding", "read_rows", "seal_payload"]
