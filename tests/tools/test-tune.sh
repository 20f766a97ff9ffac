#!/bin/sh
# nas tune, and what --tuning does to plans, trainings and searches. $1: the program.
. "$(dirname "$0")/common.sh"

fails "no networks" 2 "--count takes 1 or more" tune quick --count 0
fails "an unknown architecture" 1 "nas: " tune quick nonsense -o "$dir/none"
fails "a table that is not there" 1 "$dir/none" arch plan quick "$("$nas" space sample quick)" --tuning "$dir/none"
if ! "$nas" tune quick $little -n 1 -o "$dir/a.txt" >"$dir/out" 2>"$dir/err"; then
    grep -q "one way alone" "$dir/err"
    case_is "nothing to choose, and it says so" 0 "$?" "" "$dir/err"
    finish
    exit
fi
case_is "a table" 0 0 "a.txt: table " "$dir/out"
arch=$("$nas" space sample quick $little)
json "a table as JSON" "len(d['hash']) == 16 and d['count'] >= 2 and d['blis'] <= d['count'] and d['isa'] != 'generic'" \
    tune quick "$arch" $little -o "$dir/b.txt" --json
tail -n 1 "$dir/b.txt" | grep -q "^hash $(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["hash"])' "$dir/json")"
case_is "its last line is its hash" 0 "$?" "" "$dir/b.txt"
try "a plan by a table" 0 "norm" arch plan quick "$arch" $little --tuning "$dir/b.txt"
sed '$d' "$dir/b.txt" >"$dir/cut.txt"
fails "a table that was cut off" 1 "cut.txt: the table was cut off after line" arch plan quick "$arch" $little --tuning "$dir/cut.txt"
sed '1s/1$/9/' "$dir/b.txt" >"$dir/new.txt"
fails "a table of another version" 1 "a tuning table of version 9; this library reads 1" arch plan quick "$arch" $little --tuning "$dir/new.txt"


make_data 200
make_search "$dir/search.yaml"
try "train by a table" 0 "test accuracy" train quick "$arch" $little --data "$dir/data" --epochs 1 \
    --set batch=20 --tuning "$dir/b.txt" -o "$dir/w.safetensors"
try "a search by a table" 0 "" search "$dir/search.yaml" -o "$dir/run" --trials 2 --tuning "$dir/b.txt" --quiet
hash=$(tail -n 1 "$dir/b.txt" | cut -d ' ' -f 2)
python3 - "$dir/run/search.nas" "$hash" >"$dir/out" 2>&1 <<'END'
import sqlite3, sys
value, = sqlite3.connect(sys.argv[1]).execute("select value from fact where key = 'tuning'").fetchone()
assert value == sys.argv[2], (value, sys.argv[2])
END
case_is "its hash is a fact of the store" 0 "$?" "" "$dir/out"
try "resumed with the same" 0 "" resume "$dir/run" --trials 3 --quiet
try "replayed with the same" 0 "OK" replay "$dir/run"
# One choice turned over: another table, with its hash right.
python3 - "$nas" "$dir" >"$dir/out" 2>&1 <<'END'
import re, subprocess, sys
nas, folder = sys.argv[1:]
lines = open(folder + "/b.txt").read().splitlines()
lines[2] = lines[2].replace(" own ", " ? ").replace(" blis ", " own ").replace(" ? ", " blis ")
def write(): open(folder + "/c.txt", "w").write("\n".join(lines) + "\n")
write()
said = subprocess.run([nas, "train", "quick", "x", "--tuning", folder + "/c.txt"], capture_output=True, text=True).stderr
lines[-1] = "hash " + re.search("its hash is not ([0-9a-f]{16})", said)[1]
write()
END
case_is "another table" 0 "$?" "" "$dir/out"
fails "resumed with another table" 1 "the store's search trained with tuning table $hash, this one would with tuning table" \
    resume "$dir/run" --trials 4 --tuning "$dir/c.txt" --quiet
cp "$dir/c.txt" "$dir/b.txt"
fails "resumed when its file has become another table" 1 "trained with tuning table $hash" resume "$dir/run" --trials 4 --quiet
rm "$dir/b.txt"
fails "resumed when its file has gone" 1 "$dir/b.txt" resume "$dir/run" --trials 4 --quiet
fails "resumed without one" 1 "this one would with no tuning table" \
    resume "$dir/run" --trials 4 --set tuning= --quiet
finish
