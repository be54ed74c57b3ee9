"""Snowflake's own streaming client, in a process of its own: `python -m ... HOST PORT KEY_FILE ROWS`.

Appends rows 0 to ROWS-1 to DB.S.ORDERS, waits until all are committed, and prints the last committed token.
"""

from __future__ import annotations

import sys
from pathlib import Path

from snowflake.ingest.streaming import StreamingIngestClient


def main(host: str, port: str, key_file: str, rows: str) -> None:
    properties = {"account": "org-acct", "user": "loader", "private_key": Path(key_file).read_text(encoding="utf-8")}
    properties |= {"scheme": "https", "host": host, "port": port}
    client = StreamingIngestClient("theirs", "DB", "S", "ORDERS-STREAMING", properties=properties)
    channel, _ = client.open_channel("theirs")
    for number in range(int(rows)):
        channel.append_row({"ID": number}, str(number))
    channel.wait_for_commit(lambda token: token == str(int(rows) - 1), 30)
    print("COMMITTED", channel.get_latest_committed_offset_token())  # noqa: T201 - the answer
    channel.close()
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
