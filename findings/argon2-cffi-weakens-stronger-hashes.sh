#!/usr/bin/env bash
# argon2-cffi 25.1.0, Python 3.11
#
# Guess: `check_needs_rehash` is True for a hash that is weaker than what the hasher is set to, and False for one that is stronger.
# Behaviour: It is True for every hash whose parameters are others, the stronger ones included. The usual lines (verify, and where
#   it needs a rehash, hash and store) then weaken what is stored: while a release that raises the cost is rolled out, each
#   sign-in at an old process undoes the work of a new one; and a service with a lower cost that shares the table weakens all.
#   Code that must not lose strength compares the parameters itself (`extract_parameters`).
# Output seen:
#   stored after a sign-in at the new release: m=131072,t=4,p=4
#   stored after the next at the old release: m=65536,t=3,p=4
#   and the next at the new release: m=131072,t=4,p=4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "argon2-cffi==25.1.0"
"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from argon2 import PasswordHasher, extract_parameters

OLD, NEW = PasswordHasher(), PasswordHasher(time_cost=4, memory_cost=131_072)
PASSWORD = "correct horse battery staple"

def sign_in(hasher: PasswordHasher, stored: str) -> str:
    hasher.verify(stored, PASSWORD)
    return hasher.hash(PASSWORD) if hasher.check_needs_rehash(stored) else stored

stored = OLD.hash(PASSWORD)
for hasher, told in (
    (NEW, "stored after a sign-in at the new release"),
    (OLD, "stored after the next at the old release"),
    (NEW, "and the next at the new release"),
):
    stored = sign_in(hasher, stored)
    found = extract_parameters(stored)
    print(f"{told}: m={found.memory_cost},t={found.time_cost},p={found.parallelism}")
PYTHON
diff "$folder/seen" - <<'SEEN'
stored after a sign-in at the new release: m=131072,t=4,p=4
stored after the next at the old release: m=65536,t=3,p=4
and the next at the new release: m=131072,t=4,p=4
SEEN
