#!/bin/sh
# Broken input and broken disks: one clear sentence on standard error, an exit status, no store
# harmed. $1: the program.
. "$(dirname "$0")/common.sh"
make_data 200
make_search "$dir/search.yaml"
timeout 60 "$nas" search "$dir/search.yaml" -o "$dir/good" -q >"$dir/out" 2>&1
case_is "a search to break" 0 "$?" "" "$dir/out"
"$nas" dump "$dir/good" >"$dir/dump.good"
unharmed() {
    "$nas" dump "$dir/good" >"$dir/dump" 2>&1
    same "$1: the store is as it was" "$dir/dump" "$dir/dump.good"
}

# ---- search files and space files
bad() { # description, text, yaml as printf takes it
    # shellcheck disable=SC2059
    printf "$3" >"$dir/bad.yaml"
    fails "$1" 1 "$2" search "$dir/bad.yaml" -o "$dir/bad"
}
bad "a tab" "bad.yaml:2:1: " 'space: quick\n\tseed: 1\n'
grep -q "a tab" "$dir/err"
case_is "the sentence names tabs" 0 "$?" "" "$dir/err"
bad "an unknown key" "bad.yaml:1:1: there is no setting 'sapce'; did you mean 'space'?" 'sapce: quick\n'
bad "an unknown key of a section" "bad.yaml:2:10: there is no setting 'budget.trails'; did you mean 'trials'?" \
    'seed: 1\nbudget: {trails: 3}\n'
bad "an unknown section" "did you mean 'budget'?" 'bugdet: {trials: 3}\n'
bad "an alias cycle" "bad.yaml:1:" 'space: &a [*a]\n'
bad "an alias" "aliases are not taken" 'space: &a quick\ndata: {name: *a}\n'
bad "a key given twice" "given twice: 'seed'" 'seed: 1\nseed: 2\n'
bad "a list" "a list has no place here" '[1, 2]\n'
bad "a text" "is a list of 'key: value'" 'quick\n'
bad "a section without keys" "needs 'key: value' lines" 'budget: 3\n'
bad "sections in sections" "no place here" 'budget: {trials: {a: 1}}\n'
bad "an open bracket" "bad.yaml:" 'budget: {trials: 3\n'
bad "bytes that are no text" "bad.yaml" 'space: \377\376\n'
printf '\000\001\002' >"$dir/bad.yaml"
fails "control characters" 1 "bad.yaml" search "$dir/bad.yaml" -o "$dir/bad"
: >"$dir/bad.yaml"
try "an empty file is a search of defaults" 1 "nas:" search "$dir/bad.yaml" -o "$dir/bad" --data "$dir/none"
deep() { # character: 10 MB of nesting
    head -c 10000000 /dev/zero | tr '\0' "$1"
}
deep '[' >"$dir/bad.yaml"
fails "10 MB of nested lists" 1 "bad.yaml:1:1: a list has no place here" search "$dir/bad.yaml" -o "$dir/bad"
deep '{' >"$dir/bad.yaml"
fails "10 MB of nested braces" 1 "bad.yaml:1:" search "$dir/bad.yaml" -o "$dir/bad"
{
    printf 'space: '
    deep '['
} >"$dir/bad.yaml"
fails "10 MB of nesting as a value" 1 "bad.yaml:1:8: a list has no place here" search "$dir/bad.yaml" -o "$dir/bad"
for file in '[' '{'; do
    deep "$file" >"$dir/space.yaml"
    fails "10 MB of nested $file as a space" 1 "space.yaml" space show "$dir/space.yaml"
done
printf 'space: &a [*a]\n' >"$dir/space.yaml"
fails "an alias cycle as a space" 1 "space.yaml:1:" space show "$dir/space.yaml"
printf 'space: x\n\tnetwork: {}\n' >"$dir/space.yaml"
fails "a tab in a space" 1 "space.yaml:2:" space show "$dir/space.yaml"
"$nas" space show quick | sed 's/^constraints/constrainst/' >"$dir/space.yaml"
fails "an unknown key of a space" 1 "did you mean 'constraints'?" space show "$dir/space.yaml"
[ ! -e "$dir/bad" ]
case_is "no folder was made for any of them" 0 "$?" "" "$dir/err"

# ---- data
data() { # description, text
    fails "$1" 1 "$2" search "$dir/search.yaml" -o "$dir/bad" --data "$dir/broken"
}
fresh() {
    rm -rf "$dir/broken"
    cp -r "$dir/data" "$dir/broken"
}
images=$dir/broken/train-images-idx3-ubyte
fresh
head -c 1000 "$dir/data/train-images-idx3-ubyte" >"$images"
data "an IDX file that promises more than it holds" "promises"
fresh
printf '\000\000\010\003\177\377\377\377\177\377\377\377\177\377\377\377' >"$images"
data "an IDX file that promises the whole world" "nas:"
fresh
head -c 8 "$dir/data/train-images-idx3-ubyte" >"$images"
data "a header cut short" "nas:"
fresh
echo garbage garbage garbage >"$images"
data "garbage" "nas:"
fresh
: >"$images"
data "an empty file" "nas:"
if command -v gzip >/dev/null 2>&1; then
    fresh
    gzip -n "$images"
    try "gzip is read" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/zipped" --data "$dir/broken"
    head -c 2000 "$images.gz" >"$dir/x" && mv "$dir/x" "$images.gz"
    data "a truncated gzip" "train-images-idx3-ubyte.gz"
    grep -q -e "ends" -e "truncated" -e "cut" "$dir/err"
    case_is "the sentence says that it ends too early" 0 "$?" "" "$dir/err"
else
    skip "a truncated gzip" "there is no gzip"
fi

# ---- stores
echo "garbage, and more than a header of it, so that it is read" >"$dir/garbage.nas"
: >"$dir/empty.nas"
cp "$dir/good/search.nas" "$dir/cut.nas"
dd if=/dev/zero of="$dir/cut.nas" bs=4096 seek=1 count=3 conv=notrunc 2>/dev/null
stores="garbage"
later=""
if python3 -c 'import sqlite3' 2>/dev/null; then
    cp "$dir/good/search.nas" "$dir/later.nas"
    python3 - "$dir/later.nas" "$dir/other.nas" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA user_version = 99")
db.commit()
db = sqlite3.connect(sys.argv[2])
db.execute("CREATE TABLE songs(name TEXT)")
db.commit()
END
    stores="garbage other"
    later=later
else
    skip "stores of a later version and of other programs" "Python has no sqlite3"
fi
for command in list dump report replay resume; do
    for store in $stores; do
        cp "$dir/$store.nas" "$dir/before"
        fails "$command: a file that is not a store ($store)" 1 "is not a libnas store" \
            $command "$dir/$store.nas"
        same "$command: it is as it was ($store)" "$dir/before" "$dir/$store.nas"
    done
    if [ -n "$later" ]; then
        fails "$command: a store of a later version" 1 "written by a later libnas" $command "$dir/later.nas"
    fi
    fails "$command: a damaged store" 1 "cut.nas" $command "$dir/cut.nas"
    fails "$command: a folder without a store" 1 "nas:" $command "$dir/data"
done
for command in replay resume; do
    fails "$command: an empty file" 1 "empty.nas" $command "$dir/empty.nas"
done
[ ! -s "$dir/empty.nas" ]
case_is "the empty file is still empty" 0 "$?" "" "$dir/err"
unharmed "after all of them"

# ---- folders that cannot be written. Root ignores permissions, but not without its capabilities.
echo >"$dir/file"
fails "a folder below a file" 1 "cannot be made" search "$dir/search.yaml" -o "$dir/file/below"
fails "a file for a folder" 1 "is not a folder" search "$dir/search.yaml" -o "$dir/file"
plain=""
mkdir "$dir/locked"
cp -r "$dir/good" "$dir/locked/good"
chmod 555 "$dir/locked" "$dir/locked/good"
chmod 444 "$dir/locked/good/search.nas"
if ! touch "$dir/locked/x" 2>/dev/null; then
    plain="env"
elif command -v setpriv >/dev/null 2>&1 &&
    ! setpriv --bounding-set=-all --inh-caps=-all touch "$dir/locked/y" 2>/dev/null; then
    plain="setpriv --bounding-set=-all --inh-caps=-all"
fi
if [ -n "$plain" ]; then
    as_user() { # description, status, text, arguments
        description=$1 wanted=$2 text=$3
        shift 3
        # shellcheck disable=SC2086
        timeout 60 $plain "$nas" "$@" >"$dir/out" 2>&1 </dev/null
        case_is "$description" "$wanted" "$?" "$text" "$dir/out"
    }
    as_user "a read-only folder: search" 1 "cannot be made" search "$dir/search.yaml" -o "$dir/locked/new"
    as_user "a read-only folder: resume" 1 "nas: " resume "$dir/locked/good"
    as_user "a read-only folder: -o" 1 "permission denied" space show quick -o "$dir/locked/x"
    as_user "a read-only store can be listed" 0 "params" list "$dir/locked/good"
    as_user "a read-only store can be dumped" 0 "libnas store, canonical" dump "$dir/locked/good"
    as_user "a read-only store can be replayed" 0 "OK: " replay "$dir/locked/good"
else
    skip "read-only folders" "this process may write anywhere, and cannot give that up"
fi
chmod -R u+w "$dir/locked"
"$nas" dump "$dir/locked/good" >"$dir/dump" 2>&1
same "the read-only store is as it was" "$dir/dump" "$dir/dump.good"

# ---- full disks
mkdir "$dir/small"
if mount -t tmpfs -o size=200k none "$dir/small" 2>/dev/null; then
    trap 'umount "$dir/small" 2>/dev/null; rm -rf "$dir"' EXIT
    try "a disk that fills up" 1 "nas: " search "$dir/search.yaml" -o "$dir/small/a" --trials 2000 -q
    case_is "the sentence says so" 0 0 "full" "$dir/out"
    try "the store on it can still be read" 0 "params" list "$dir/small/a"
    cp -r "$dir/small/a" "$dir/rescued"
    umount "$dir/small"
    try "elsewhere it goes on" 0 "test accuracy" resume "$dir/rescued" -q --trials 60
else
    skip "a disk that fills up" "this process may not mount one"
fi
# A limit on the size of files is a full disk too, for any user.
(
    trap '' XFSZ
    ulimit -f 100
    timeout 60 "$nas" search "$dir/search.yaml" -o "$dir/limited" --trials 2000 -q
) >"$dir/out" 2>&1
case_is "a limit on the size of files" 1 "$?" "nas: " "$dir/out"
[ "$(wc -l <"$dir/out")" = 1 ]
case_is "it is told in one sentence" 0 "$?" "" "$dir/out"
try "what was finished before is kept" 0 "params" list "$dir/limited"
try "and goes on when there is room" 0 "test accuracy" resume "$dir/limited" -q --trials 60
finish
