#!/bin/sh
# Makes sure of the system libraries that OpenGL and Qt need (cli/system_packages.txt, Debian names).
# As root they are installed; otherwise one message names the command that does it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v dpkg-query >/dev/null 2>&1 || {
    echo "This is not a Debian system: make sure of OpenGL (EGL or OSMesa) and Qt's xcb libraries yourself; 'rodent-rig doctor' says what lacks."
    exit 0
}
missing=""
for package in $(cat "$here/../cli/system_packages.txt"); do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    echo "Installing system libraries:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "System libraries are missing. Install them, then run make again:"
    echo "    sudo apt-get install$missing"
    exit 2
fi
