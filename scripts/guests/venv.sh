# shellcheck shell=bash
# venv NAME PACKAGE...: a Python environment under target/guests with these packages, pinned by the caller, first on the
# path. Made once; tests call it side by side. To be sourced, with `root` set.
venv() {
    local folder=$root/target/guests/venv/$1 packages
    shift
    packages="$*"
    mkdir -p "$(dirname "$folder")"
    (
        flock 9
        if [ "$(cat "$folder/installed" 2>/dev/null)" != "$packages" ]; then
            rm -rf "$folder"
            python3 -m venv "$folder" >&2 || {
                echo "venv: no Python environment can be made here: install Python with venv (apt-get install python3-venv)" >&2
                exit 1
            }
            "$folder/bin/pip" install -q --disable-pip-version-check "$@" >&2
            echo "$packages" >"$folder/installed"
        fi
    ) 9>"$folder.lock"
    export PATH=$folder/bin:$PATH
}
