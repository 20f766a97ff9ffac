#!/bin/sh
# kill -9 and Ctrl-C in the search and in its final training: what goes on afterwards ends with the
# same bits; the safety stop leaves the best, trained. $1: the program.
. "$(dirname "$0")/common.sh"
make_data 400
make_search "$dir/search.yaml"
# Epochs that take long enough to be interrupted between two lines, on any machine.
set -- -s final.epochs=40 -s final.momentum=0.8 -s final.ema=0.9
timeout 120 "$nas" search "$dir/search.yaml" -o "$dir/straight" "$@" >"$dir/out" 2>&1
case_is "an uninterrupted search" 0 "$?" "final training: epoch 40/40" "$dir/out"
"$nas" dump "$dir/straight" >"$dir/dump.straight"

# Runs nas with the arguments and sends a signal when a line has the words. The line's pipe is read
# no further: the process sees the signal before its end, unless it has only a pipe's buffer to write.
interrupt() { # signal, words, arguments ...
    signal=$1 words=$2
    shift 2
    rm -f "$dir/pipe"
    mkfifo "$dir/pipe"
    "$nas" "$@" >"$dir/pipe" 2>"$dir/err" </dev/null &
    pid=$!
    exec 3<"$dir/pipe"
    while read -r line <&3; do
        case $line in
        *"$words"*)
            kill "-$signal" "$pid"
            break
            ;;
        esac
    done
    cat <&3 >"$dir/rest"
    exec 3<&-
    wait "$pid"
    got=$?
    cat "$dir/err" >>"$dir/rest"
}
ends_alike() { # description, folder
    try "$1: resumed" 0 "test accuracy" resume "$2"
    cp "$dir/out" "$dir/resumed"
    "$nas" dump "$2" >"$dir/dump" 2>&1
    same "$1: the same search" "$dir/dump" "$dir/dump.straight"
    same "$1: the same weights" "$2/best.safetensors" "$dir/straight/best.safetensors"
}

interrupt KILL "final training: epoch 7/40" search "$dir/search.yaml" -o "$dir/a" "$@"
case_is "kill -9 in the final training" 137 "$got" "" "$dir/rest"
[ ! -e "$dir/a/best.safetensors" ]
case_is "it left no weights" 0 "$?" "" "$dir/rest"
interrupt KILL "final training: epoch 20/40" resume "$dir/a"
case_is "kill -9 once more" 137 "$got" "" "$dir/rest"
ends_alike "kill -9 in the final training" "$dir/a"
grep -q "goes on after epoch" "$dir/resumed" && ! grep -q "epoch 7/40" "$dir/resumed"
case_is "no epoch was trained twice" 0 "$?" "epoch 40/40" "$dir/resumed"
if python3 -c 'import sqlite3' 2>/dev/null; then
    python3 - "$dir/a/search.nas" "$dir/straight/search.nas" >"$dir/out" 2>&1 <<'END'
import sqlite3, sys
curves = []
for path in sys.argv[1:]:
    facts = dict(sqlite3.connect(path).execute("SELECT key, value FROM fact"))
    curve = [line.split() for line in facts["final.curve"].splitlines()]
    assert [float(x[0]) for x in curve] == list(range(1, 41)), curve
    assert float(facts["final.epochs"]) == 40 and float(facts["final.params"]) > 0, facts
    assert float(facts["final.seconds"]) > 0 and 0 <= float(facts["final.test_accuracy"]) <= 1
    curves.append([x[:2] for x in curve])
assert curves[0] == curves[1]
print("facts")
END
    case_is "the store has the facts, and one curve" 0 "$?" "facts" "$dir/out"
else
    skip "the store has the facts, and one curve" "Python has no sqlite3"
fi

interrupt INT "final training: epoch 3/40" search "$dir/search.yaml" -o "$dir/b" "$@"
case_is "Ctrl-C in the final training" 1 "$got" "nas: interrupted; go on with: nas resume $dir/b/search.nas" "$dir/rest"
interrupt TERM "final training: epoch 30/40" search "$dir/search.yaml" -o "$dir/b" --resume "$@"
case_is "SIGTERM after it" 1 "$got" "nas: interrupted" "$dir/rest"
ends_alike "Ctrl-C in the final training" "$dir/b"

# In the search: trials that take longer.
set -- "$@" --epochs 10 -s evaluator.batch=10 -s final.epochs=2
timeout 120 "$nas" search "$dir/search.yaml" -o "$dir/long" "$@" -q >"$dir/out" 2>&1
case_is "longer trials" 0 "$?" "test accuracy" "$dir/out"
"$nas" dump "$dir/long" >"$dir/dump.straight"
cp "$dir/long/best.safetensors" "$dir/straight/best.safetensors"
for signal in KILL INT; do
    interrupt "$signal" "trial 1 " search "$dir/search.yaml" -o "$dir/c.$signal" "$@"
    [ $signal = KILL ] && wanted=137 || wanted=1
    case_is "SIG$signal in the search" "$wanted" "$got" "" "$dir/rest"
    ends_alike "SIG$signal in the search" "$dir/c.$signal"
done

# A training of one's own has nothing to go on with.
arch=$(cat "$dir/a/best.arch")
# shellcheck disable=SC2086
interrupt INT "training: epoch 2/" train quick "$arch" $little --data "$dir/data" --epochs 500 \
    -s batch=20 -o "$dir/none.safetensors"
case_is "Ctrl-C in nas train" 1 "$got" "nas: interrupted; nothing was saved" "$dir/rest"
[ ! -e "$dir/none.safetensors" ]
case_is "it left no weights" 0 "$?" "" "$dir/rest"

# The safety stop: in the midst of the first trial, which would take hours; and between trials.
try "out of time in the first trial" 0 "(out of time)" search "$dir/search.yaml" -o "$dir/d" \
    --seconds 1 --epochs 100000 -s final.epochs=2
[ -s "$dir/d/best.safetensors" ] && grep -q "test accuracy" "$dir/out"
case_is "the best so far is trained and saved" 0 "$?" "" "$dir/out"
try "resumed: nothing is left to do" 0 "(done before)" resume "$dir/d"
try "out of time between trials" 0 "(out of time)" search "$dir/search.yaml" -o "$dir/e" \
    --seconds 1 --trials 1000000 -s final.epochs=2
[ -s "$dir/e/best.safetensors" ]
case_is "and that best is saved too" 0 "$?" "" "$dir/out"
try "a replay of what a clock ended" 0 "OK: " replay "$dir/d"
try "a final training that runs out of time" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/f" \
    -s final.epochs=1000000 -s final.max_seconds=1
[ -s "$dir/f/best.safetensors" ]
case_is "its weights are saved" 0 "$?" "" "$dir/out"
try "and are not trained again" 0 "(done before)" resume "$dir/f"
finish
