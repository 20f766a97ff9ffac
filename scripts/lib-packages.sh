# Sourced by quickstart and test: installs what is missing from Debian's packages.
#   need_packages PACKAGE ...     asks for root (or sudo) only if something is missing

packages_build="gcc libc6-dev meson ninja-build pkg-config libblis-serial-dev libyaml-dev \
libsqlite3-dev libxxhash-dev zlib1g-dev libpopt-dev"
packages_test="g++ libcmocka-dev python3 python3-numpy"

package_installed() {
    dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed'
}

need_packages() {
    missing=""
    for package in "$@"; do
        package_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "These packages are missing and this is not a Debian system:$missing" >&2
        return 1
    fi
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Missing packages; install them as root:  apt-get install$missing" >&2
            return 1
        fi
        as_root=sudo
    fi
    echo "Installing from Debian:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # The list of packages may be old or absent: bring it up to date, then install.
    $as_root apt-get update -qq || return 1
    # shellcheck disable=SC2086
    $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
        echo "apt-get could not install:$missing" >&2
        return 1
    }
}
