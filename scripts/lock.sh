#!/bin/sh
# Writes requirements.lock (what `make run` installs: runtime and build backend) and requirements-dev.lock (the same
# and what the tests need) from pyproject.toml: exact versions, a hash for every file of a release, markers for every
# system and Python >= 3.11, no index address. Run it by hand after a change of dependencies and commit the result.
#
#   scripts/lock.sh                        keep the pins that still fit
#   scripts/lock.sh --upgrade              take the newest of everything
#   scripts/lock.sh --upgrade-package X    take the newest X
#
# uv resolves; it lives in a temporary environment of its own. PYTHON names the interpreter for that (default python3).
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "Preparing uv ..." >&2
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "uv>=0.9"

# Only the package index counts: no extra indexes, no local folders, no settings of the machine.
unset UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_CONSTRAINT UV_OVERRIDE UV_EXCLUDE_NEWER UV_PRERELEASE UV_RESOLUTION

compile() { # compile OUTPUT [OPTION ...]
    lock=$1
    shift
    echo "Resolving $lock ..." >&2
    "$work/venv/bin/uv" pip compile --quiet --no-config --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command scripts/lock.sh --output-file "$lock" "$@" pyproject.toml
}

compile requirements.lock --group build "$@"
compile requirements-dev.lock --group build --group dev --constraints requirements.lock "$@"

# A lock that names a host or a folder would not work elsewhere.
if grep -nE '://|^ *(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)|file:|(^|[ =])/' \
    requirements.lock requirements-dev.lock; then
    echo "The lines above tie the lock to a host or a folder." >&2
    exit 1
fi
echo "Wrote requirements.lock and requirements-dev.lock." >&2
