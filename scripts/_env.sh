# Sourced by the scripts, after _uv.sh: environments that hold what a lock says and nothing else.
# shellcheck shell=bash

say() {
    if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
        printf '\033[1m%s\033[0m\n' "$*" >&2
    else
        printf '%s\n' "$*" >&2
    fi
}

fingerprint() {
    cat "$@" | cksum
}

# make_environment DIRECTORY LOCK PYTHON [PROJECT]
# PROJECT is what to install of ours: a wheel, or nothing for the checkout itself.
make_environment() {
    local directory=$1 lock=$2 python=$3 project=${4:-}
    local now
    now="$PWD $python $(fingerprint "$lock" pyproject.toml ${project:+"$project"})"
    if [ -x "$directory/bin/python" ] && [ "$(cat "$directory/made-of" 2>/dev/null)" = "$now" ]; then
        return
    fi
    say "installing $lock into $directory"
    "$UV" venv --quiet --clear --no-python-downloads --python "$python" "$directory"
    "$UV" pip install --python "$directory/bin/python" --require-hashes --no-deps -r "$lock"
    if [ -n "$project" ]; then
        "$UV" pip install --quiet --python "$directory/bin/python" --no-deps "$project"
    else
        "$UV" pip install --quiet --python "$directory/bin/python" --no-deps --build-constraints requirements/dev.txt --editable .
    fi
    printf '%s' "$now" >"$directory/made-of"
}
