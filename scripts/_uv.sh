# Sourced by the scripts: finds uv, or installs it into .cache with nothing but Python. Sets UV.
# shellcheck shell=bash

# is_python COMMAND [MINOR]: whether it runs, and is 3.10 or newer, or just 3.MINOR.
is_python() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, 10) or ${2:-0} not in (0, sys.version_info[1]))" 2>/dev/null
}

# find_python [MINOR]: print the path of the newest Python, or of a Python 3.MINOR; false when there is none.
find_python() {
    local candidate names
    if [ -n "${1:-}" ]; then
        names=("python3.$1" python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"3.$1".*/bin/python)
    else
        names=("${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python3.10 python)
    fi
    for candidate in "${names[@]}"; do
        if [ -n "$candidate" ] && is_python "$candidate" "${1:-0}"; then
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
    return 1
}

# install_uv PYTHON: into .cache/uv, by pip in an environment of its own, or where Python came without venv, by its pip.
install_uv() {
    local options=(--quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/uv.txt)
    rm -rf .cache/uv
    if "$1" -m venv .cache/uv >/dev/null 2>&1; then
        .cache/uv/bin/python -m pip install "${options[@]}"
    else
        rm -rf .cache/uv
        "$1" -m pip install --target .cache/uv "${options[@]}"
    fi
}

if [ -z "${UV:-}" ] && ! UV=$(command -v uv); then
    UV=$PWD/.cache/uv/bin/uv
    if [ ! -x "$UV" ]; then
        if ! python=$(find_python); then
            echo "Python 3.10 or newer is needed and was not found on PATH; set PYTHON=/path/to/python3 to name one." >&2
            exit 1
        fi
        echo "fetching uv into .cache/uv" >&2
        if ! install_uv "$python"; then
            echo "uv could not be installed with $python: it needs Python's venv (Debian: python3-venv) or pip, or a uv of your own on PATH." >&2
            exit 1
        fi
    fi
fi
export UV
