#!/bin/sh
# Brings .venv up to date: what a lock file pins, checked by hash, and this project in place (editable).
#
#   scripts/venv.sh run    what it takes to run (requirements.lock)
#   scripts/venv.sh dev    that and what the tests take (requirements-dev.lock)
#
# PYTHON names an interpreter; without it the newest of python3.14 .. python3.11 is taken, then python3.
# .venv keeps a copy of each file it was made from. Same content: nothing to do. Another lock, another interpreter or
# another folder: made anew, so that nothing of an older state is left in it.
set -eu
cd "$(dirname "$0")/.."
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT || true

kind=$1
case $kind in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
*) echo "usage: scripts/venv.sh run|dev" >&2 && exit 2 ;;
esac
where=$(pwd -P)
marks=.venv/.made-from

needs="hermes-router needs Python 3.11 or newer"
no_venv="cannot make virtual environments (no ensurepip; on Debian and Ubuntu: apt install python3-venv)"

die() {
    echo "$*" >&2
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
version() { "$1" --version 2>&1 || true; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || die "PYTHON=$PYTHON: there is no such program."
        new_enough "$PYTHON" || die "PYTHON=$PYTHON is $(version "$PYTHON"); $needs."
        has_venv "$PYTHON" || die "PYTHON=$PYTHON $no_venv."
        python=$PYTHON
        return
    fi
    without_venv=
    for python in python3.14 python3.13 python3.12 python3.11 python3; do
        if new_enough "$python"; then
            has_venv "$python" && return
            without_venv=$python
        fi
    done
    [ -z "$without_venv" ] || die "$without_venv $no_venv."
    if command -v python3 >/dev/null 2>&1; then
        die "python3 is $(version python3); $needs. To name one: make PYTHON=/path/to/python3.12 ..."
    fi
    die "No python3 found; $needs."
}

# quiet TEXT COMMAND ...: one line; on a terminal the package being worked on and the seconds; all output if it fails.
quiet() {
    text=$1
    shift
    log=.venv/install.log
    if [ ! -t 1 ]; then
        echo "$text ..."
        "$@" >"$log" 2>&1 || { cat "$log" >&2 && return 1; }
        return
    fi
    printf '%s ...' "$text"
    "$@" >"$log" 2>&1 &
    job=$!
    trap 'kill "$job" 2>/dev/null; echo; exit 130' INT TERM
    seconds=0
    while kill -0 "$job" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        step=$(sed -n 's/^Collecting \([^= (]*\).*/\1/p; s/^\(Installing\) collected.*/installing/p' "$log" | tail -n 1)
        printf '\r\033[K%s ... %s s %s' "$text" "$seconds" "$step"
    done
    trap - INT TERM
    printf '\r\033[K%s ...\n' "$text"
    wait "$job" || { cat "$log" >&2 && return 1; }
}

same() { [ ! -e "$marks/$1" ] || cmp -s "$marks/$1" "$1"; }

usable() {
    [ -x .venv/bin/python ] && [ "$(cat "$marks/folder" 2>/dev/null)" = "$where" ] &&
        same requirements.lock && same requirements-dev.lock || return 1
    [ -z "${PYTHON:-}" ] || [ "$(cat "$marks/python")" = "$(command -v "$PYTHON")" ]
}

if ! usable; then
    find_python
    if [ -e .venv ]; then
        echo "Making .venv anew with $(version "$python"): the one there is unfinished or does not fit ..."
        rm -rf .venv
    else
        echo "Making .venv with $(version "$python") ..."
    fi
    "$python" -m venv .venv || die "$python could not make .venv."
    mkdir -p "$marks"
    command -v "$python" >"$marks/python"
    echo "$where" >"$marks/folder"
fi

pip=".venv/bin/python -m pip --disable-pip-version-check --no-input"

if [ ! -e "$marks/$lock" ] && { [ "$kind" = dev ] || [ ! -e "$marks/requirements-dev.lock" ]; }; then
    quiet "Installing what $lock pins ($(grep -c '^[a-z]' "$lock") packages, once)" \
        $pip install --require-hashes -r "$lock" || die "The packages could not be installed; the reason is above."
    cp "$lock" "$marks/$lock"
fi
if ! cmp -s pyproject.toml "$marks/pyproject.toml"; then
    quiet "Installing hermes-router" $pip install --no-deps --no-build-isolation --editable . ||
        die "hermes-router could not be installed; the reason is above."
    cp pyproject.toml "$marks/pyproject.toml"
fi
