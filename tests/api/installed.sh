#!/bin/sh
# What an application sees: libnas installed into a folder, found by pkg-config, the examples compiled
# against it and run; the Python package beside it.
#   installed.sh BUILD EXAMPLES PREFIX PYTHON-DIR SANITIZE CC ... [-- CXX ...]
set -eu
build=$1 examples=$2 prefix=$3 python_dir=$4 sanitize=$5
shift 5
cc="" cxx="" seen=""
for word in "$@"; do
    case "$seen$word" in
    --) seen=1 ;;
    *) if [ -n "$seen" ]; then cxx="$cxx $word"; else cc="$cc $word"; fi ;;
    esac
done
if ! command -v pkg-config >/dev/null 2>&1; then
    echo "1..0 # SKIP pkg-config is not installed"
    exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$root/install.log" 2>&1 || {
    cat "$root/install.log"
    exit 1
}
n=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; fi
}
pc=$(find "$root" -name libnas.pc)
lib=$(dirname "$(find "$root" -name libnas.so)")
status=0
[ -f "$pc" ] || status=1
ok $status "libnas.pc is there"
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$root" LD_LIBRARY_PATH="$lib"
version=$(sed -n 's/^#define NAS_VERSION_TEXT "\(.*\)"/\1/p' "$root$prefix/include/libnas/base.h")
status=0
[ "$(pkg-config --modversion libnas)" = "$version" ] || status=1
ok $status "pkg-config and the header say the same version, $version"
status=0
soname=$(readlink "$lib/libnas.so")
case "$soname" in libnas.so.[0-9]*) ;; *) status=1 ;; esac
ok $status "libnas.so leads to the SONAME, $soname"
status=0
found=$(find "$root" -name '*.h' | grep -vc "^$root$prefix/include/libnas/") || true
[ "$found" = 0 ] || status=1
ok $status "no header outside of include/libnas"
flags=$(pkg-config --cflags --libs libnas)
for source in "$examples"/*.c "$examples"/*.cpp; do
    name=$(basename "$source")
    case "$name" in
    *.c) compile="$cc -std=c11" ;;
    *) compile="$cxx -std=c++17" ;;
    esac
    if [ "$compile" = " -std=c++17" ] || [ "$compile" = "-std=c++17" ]; then
        n=$((n + 1))
        echo "ok $n $name # SKIP no C++ compiler"
        continue
    fi
    status=0
    # shellcheck disable=SC2086
    $compile -Wall -Wextra -Werror $sanitize "$source" $flags -o "$root/program" >"$root/log" 2>&1 &&
        (cd "$root" && ./program) >>"$root/log" 2>&1 || status=$?
    [ "$status" = 0 ] || sed 's/^/# /' "$root/log"
    ok "$status" "$name: compiled against the installed libnas, run"
done
if [ "$python_dir" != - ] && [ -z "$sanitize" ] && python3 -c 'import numpy' 2>/dev/null; then
    status=0
    (cd "$root" && LIBNAS_LIBRARY="$lib/libnas.so" PYTHONPATH="$root$python_dir" \
        python3 "$examples/search.py") >"$root/log" 2>&1 || status=$?
    [ "$status" = 0 ] || sed 's/^/# /' "$root/log"
    ok "$status" "search.py: by the installed package"
else
    n=$((n + 1))
    echo "ok $n search.py # SKIP without numpy, or under a sanitizer"
fi
echo "1..$n"
