#!/bin/sh
# nas search, resume, replay, list, dump, train over a small set of images made here. $1: the program.
. "$(dirname "$0")/common.sh"
make_data 200
make_search "$dir/search.yaml"

try "a search" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/a"
for line in "trial 1 " "6/6 done" "search: 6 trials, " "best of the search: trial " \
    "final training: epoch 2/2" "$dir/a/search.nas " "$dir/a/report.html " "$dir/a/best.safetensors " "$dir/a/best.arch " \
    "try:  nas list" "nas replay $dir/a/search.nas"; do
    grep -qF -- "$line" "$dir/out"
    case_is "it says \"$(basename "$line")\"" 0 "$?" "" "$dir/out"
done
printf '\033' >"$dir/escape"
grep -qF -f "$dir/escape" "$dir/out"
case_is "piped lines are plain" 1 "$?" "" "$dir/out"
cp "$dir/out" "$dir/piped"
python3 - "$nas" search "$dir/search.yaml" -o "$dir/tty" >"$dir/out" 2>&1 <<'END'
import os, pty, sys
process, terminal = pty.fork()
if process == 0:
    os.execv(sys.argv[1], sys.argv[1:])
text = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    text += more
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
assert status == 0, (status, text)
# a live line is rubbed out before the next; the last lines stay as they are when piped
assert b"\r\x1b[K" in text and b" running  best " in text and b" left" in text, text
assert not text.splitlines()[-1].startswith(b"\x1b"), text
print("live")
END
case_is "on a terminal a live line" 0 "$?" "live" "$dir/out"
cp "$dir/piped" "$dir/out"
sed -n "s|^$dir/a/best.arch .*try:  nas ||p" "$dir/out" >"$dir/next"
sh -c "$nas $(cat "$dir/next")" >"$dir/out" 2>&1
case_is "the command that it names works" 0 "$?" "activation_bytes" "$dir/out"
fails "a second one into the same folder" 1 "--resume" search "$dir/search.yaml" -o "$dir/a"

# The same search, told otherwise.
try "one worker, quietly" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/b" -s workers=1 -q
[ "$(wc -l <"$dir/out")" = 1 ]
case_is "quiet is one line" 0 "$?" "final training: " "$dir/out"
try "four threads" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/c" --set threads=4
json "all by options, as JSON" \
    "d['trials'] == 6 and d['best']['arch'] and 0 <= d['final']['test_accuracy'] <= 1 and d['final']['test_images'] == 80 and d['ended'] == 'all trials done'" \
    search --space=quick $little --seed 3 --window 3 --data "$dir/data" -s data.validation=40 \
    --controller evolution -s controller.population=3 -s controller.sample=2 --epochs 1 \
    -s evaluator.batch=20 -s evaluator.learning_rate=0.05 --trials 6 --final-epochs 2 \
    -s final.batch=20 --json -o "$dir/d"
for other in a b c d; do
    "$nas" dump "$dir/$other" --canonical 2>&1 | grep -v '^settings: ' >"$dir/dump.$other"
done
same "equal dumps for 3 workers and 1" "$dir/dump.a" "$dir/dump.b"
same "equal dumps for other threads" "$dir/dump.a" "$dir/dump.c"
same "equal dumps for a file and options" "$dir/dump.a" "$dir/dump.d"
same "equal weights for other threads" "$dir/a/best.safetensors" "$dir/c/best.safetensors"
same "equal weights for a file and options" "$dir/a/best.safetensors" "$dir/d/best.safetensors"
try "dump into a file" 0 "" dump "$dir/a/search.nas" -o "$dir/dump.file"
grep -v '^settings: ' "$dir/dump.file" >"$dir/dump.file2"
same "it has what standard output has" "$dir/dump.a" "$dir/dump.file2"

# What is wrong is told before anything is made.
wrong() { # description, status, text, arguments
    description=$1 wanted=$2 text=$3
    shift 3
    fails "$description" "$wanted" "$text" search "$dir/search.yaml" -o "$dir/wrong" "$@"
}
wrong "an unknown section" 2 "there is no section 'budgte'; did you mean 'budget'?" -s budgte.trials=3
wrong "an unknown setting" 2 "did you mean 'trials'?" -s budget.trails=3
wrong "an unknown setting at the top" 2 "did you mean 'seed'?" -s sede=3
wrong "a section without a key" 2 "'budget' is a section" -s budget=3
wrong "a setting without a value" 2 "is not section.key=value" -s seed
wrong "an unknown setting of the controller" 1 "did you mean 'population'?" -s controller.poplation=3
wrong "an unknown setting of the evaluator" 1 "did you mean 'epochs'?" -s evaluator.epoch=3
wrong "an unknown setting of the data" 1 "did you mean 'flip'?" -s data.filp=true
wrong "an unknown setting of the final training" 1 "did you mean 'epochs'?" -s final.epoch=3
wrong "a final training that cannot be" 1 "batch is 0" -s final.batch=0
wrong "a number that is none" 2 "budget.trials: 'many' is not a whole number" --trials many
wrong "a negative number" 2 "budget.seconds: '-1' is not a number" --seconds=-1
wrong "a truth that is none" 2 "neither true nor false" -s objective.minimise=maybe
wrong "an unknown controller" 1 'did you mean "random"?' --controller randon
wrong "data that are not there" 1 "nas:" --data "$dir/none"
wrong "images of another size" 1 "set the space's parameters" -p height=9
wrong "an option misspelled" 2 "did you mean '--trials'?" --trails=3
[ ! -e "$dir/wrong/best.safetensors" ]
case_is "none of them left weights" 0 "$?" "" "$dir/out"
fails "neither file nor settings" 2 "search takes a search file" search
fails "a file that is not there" 1 "No such file" search "$dir/none.yaml"
fails "a file that is a folder" 1 "is a folder" search "$dir"

# Resumed.
cp "$dir/a/best.safetensors" "$dir/kept"
try "resumed when all was done" 0 "final training (done before)" resume "$dir/a/search.nas"
grep -q "epoch" "$dir/out"
case_is "it did not train again" 1 "$?" "" "$dir/out"
rm "$dir/a/best.safetensors" "$dir/a/best.arch"
try "resumed when the weights are lost" 0 "$dir/a/best.arch" resume "$dir/a"
same "the store gave them back" "$dir/kept" "$dir/a/best.safetensors"
try "more trials by --resume" 0 "search: 8 trials" search "$dir/search.yaml" -o "$dir/b" --resume --trials 8
try "more trials by resume" 0 "search: 8 trials" resume "$dir/c" --trials=8
try "and once more without a word" 0 "search: 8 trials" resume "$dir/c"
try "without a file" 0 "search: 8 trials" search --resume -o "$dir/c"
for other in b c; do
    "$nas" dump "$dir/$other" >"$dir/dump.$other" 2>&1
done
grep -v '^settings: ' "$dir/dump.b" >"$dir/x" && grep -v '^settings: ' "$dir/dump.c" >"$dir/y"
same "both ways are the same search" "$dir/x" "$dir/y"
same "and the same weights" "$dir/b/best.safetensors" "$dir/c/best.safetensors"
fails "resumed as another search" 1 "the store holds another search" resume "$dir/a" --seed 4
fails "resume what is not there" 1 "none.nas" resume "$dir/none.nas"

# Replayed.
try "replay" 0 "OK: 6 turns and 6 trials are the same" replay "$dir/a/search.nas"
json "replay as JSON" "d['same'] and d['turns'] == 6 and d['difference'] is None" replay "$dir/a" --json
cp -r "$dir/a" "$dir/e"
python3 - "$dir/e/search.nas" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE metric SET value = value + 1e-9 WHERE trial = 4 AND name = 'train_loss'")
db.commit()
END
try "a store that was changed" 1 'DIFFERS: trial 4: metric "train_loss" was' replay "$dir/e"
json "the settings in the store are enough" "d['same']" replay "$dir/d" --json --workers 1 --threads 1

# Listed.
try "list" 0 "params" list "$dir/a/search.nas"
[ "$(grep -c '^\*' "$dir/out")" = 1 ] && [ "$(wc -l <"$dir/out")" = 7 ]
case_is "one star, six trials" 0 "$?" "" "$dir/out"
json "list as JSON" \
    "[t['trial'] for t in d] == list(range(6)) and sum(t['best'] for t in d) == 1 and all(t['metrics']['params'] > 0 for t in d)" \
    list "$dir/a" --json
json "the two best" "len(d) == 2 and d[0]['best'] and d[0]['score'] >= d[1]['score']" list "$dir/a" --json --best 2
json "sorted" "[t['metrics']['params'] for t in d] == sorted(t['metrics']['params'] for t in d)" \
    list "$dir/a" --json --sort params
fails "an unknown order" 2 "did you mean 'params'?" list "$dir/a" --sort parms
fails "no best" 2 "at least 1" list "$dir/a" --best 0
fails "a store that is not there" 1 "none.nas" list "$dir/none.nas"
fails "a folder without a store" 1 "search.nas" list "$dir/data"

# Reported.
is_xml() { # description, file, wanted tag
    python3 -c 'import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag + " ")' \
        "$2" >"$dir/out" 2>&1
    case_is "$1" 0 "$?" "$3" "$dir/out"
}
is_xml "the search left a report" "$dir/b/report.html" "html "
grep -q "est accuracy" "$dir/b/report.html"
case_is "it has the final training" 0 "$?" "" "$dir/b/report.html"
rm "$dir/a/report.html"
try "a report" 0 "$dir/a/report.html" report "$dir/a"
is_xml "it is XML" "$dir/a/report.html" "html "
try "a report as text" 0 "The best networks" report --text "$dir/a/search.nas"
try "a report with a title, to standard output" 0 "<h1>A &amp; B</h1>" report --title "A & B" --best 1 \
    -o - "$dir/a/search.nas"
fails "a report into a folder that is not there" 1 "nas:" report -o "$dir/none/x.html" "$dir/a"
fails "a report with too many" 2 "--best: '101'" report "$dir/a" --best 101

# Trials that fail are not the end of a search, and never NaN in JSON.
try "trials that diverge" 1 "has a score" search "$dir/search.yaml" -o "$dir/f" -s evaluator.learning_rate=1e6
json "they are listed" "all(t['state'] == 'infeasible' and t['score'] is None and t['reason'] and not t['best'] for t in d)" \
    list "$dir/f" --json
json "another objective" "d['best']['score'] < 0" search "$dir/search.yaml" -o "$dir/g" \
    -s objective.metric=params -s objective.minimise=true --json
json "a target ends it" "d['ended'] == 'target reached' and d['trials'] < 6" search "$dir/search.yaml" \
    -o "$dir/h" -s budget.target=0.1 -s window=1 --json

# One architecture.
arch=$("$nas" space sample quick $little)
try "train" 0 "test accuracy" train quick "$arch" $little --data "$dir/data" --epochs 3 \
    -s batch=20 -s data.validation=40 -o "$dir/one.safetensors"
grep -q "training: epoch 3/3" "$dir/out"
case_is "it says each epoch" 0 "$?" "" "$dir/out"
json "train as JSON" "0 <= d['test_accuracy'] <= 1 and d['epochs'] == 3 and d['weights'].endswith('two.safetensors')" \
    train quick "$arch" $little --data "$dir/data" -s epochs=3 -s final.batch=20 -s data.validation=40 \
    --threads 1 -o "$dir/two.safetensors" --json
same "equal weights for other threads" "$dir/one.safetensors" "$dir/two.safetensors"
try "another seed" 0 "test accuracy" train quick "$arch" $little --data "$dir/data" --epochs 3 \
    -s batch=20 -s data.validation=40 -o "$dir/three.safetensors" --seed 5 --quiet
cmp -s "$dir/one.safetensors" "$dir/three.safetensors"
case_is "gives other weights" 1 "$?" "" "$dir/out"
fails "an unknown setting of a training" 1 "did you mean 'epochs'?" train quick "$arch" $little -s epcohs=3
fails "a training without data" 1 "nas:" train quick "$arch" $little --data "$dir/none"
fails "an architecture of another space" 1 "nas:" train nas-bench-201 "$arch" --data "$dir/data"
if [ -w /dev/full ]; then
    try "weights on a full disk" 1 "no space left on device" train quick "$arch" $little \
        --data "$dir/data" --epochs 1 -q -o /dev/full
else
    skip "weights on a full disk" "there is no /dev/full"
fi
finish
