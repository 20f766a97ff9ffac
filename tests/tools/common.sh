# Sourced by the tests of the nas program: $nas is the program, $dir a folder of its own; cases are
# counted, and told as TAP. Ends by "finish".
set -u
case $1 in
/*) nas=$1 ;;
*) nas=$PWD/$1 ;;
esac
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
good=0

case_is() { # description, wanted status, got status, wanted text ("": any), file
    n=$((n + 1))
    if [ "$2" = "$3" ] && { [ -z "$4" ] || grep -qF -- "$4" "$5"; }; then
        echo "ok $n - $1"
        good=$((good + 1))
    else
        echo "not ok $n - $1 (status $3, wanted $2 and \"$4\")"
        head -n 20 "$5" | cut -c 1-300 | sed 's/^/# /'
    fi
}
skip() { # description, why
    n=$((n + 1))
    good=$((good + 1))
    echo "ok $n - $1 # SKIP $2"
}
try() { # description, wanted status, text in output or errors, arguments of nas ...
    description=$1 wanted=$2 text=$3
    shift 3
    timeout 120 "$nas" "$@" >"$dir/out" 2>&1 </dev/null
    case_is "$description" "$wanted" "$?" "$text" "$dir/out"
}
# What is wrong is told in one sentence on standard error, and nothing is on standard output.
fails() { # description, wanted status, text, arguments of nas ...
    description=$1 wanted=$2 text=$3
    shift 3
    timeout 120 "$nas" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    got=$?
    if [ -s "$dir/out" ] || [ "$(wc -l <"$dir/err")" != 1 ] ||
        ! grep -q '^nas: ' "$dir/err"; then
        got="$got, not one sentence on standard error alone"
        cat "$dir/out" >>"$dir/err"
    fi
    case_is "$description" "$wanted" "$got" "$text" "$dir/err"
}
same() { # description, file, file
    cmp "$2" "$3" >"$dir/out" 2>&1
    case_is "$1" 0 "$?" "" "$dir/out"
}
json() { # description, Python expression over the document d, arguments of nas ...
    description=$1 expression=$2
    shift 2
    timeout 120 "$nas" "$@" >"$dir/json" 2>"$dir/out" </dev/null
    got=$?
    python3 - "$dir/json" "$expression" >>"$dir/out" 2>&1 <<'END' || got="$got, not what it should be"
import json, sys
def no(what): raise SystemExit("not JSON: " + what)
d = json.load(open(sys.argv[1], encoding="utf-8"), parse_constant=no)
if not eval(sys.argv[2]): raise SystemExit(f"{sys.argv[2]} of {d}")
END
    case_is "$description" 0 "$got" "" "$dir/out"
}
finish() {
    echo "1..$n"
    [ "$good" = "$n" ]
}

# Two classes of 8 x 8 images: a bright top, a bright bottom; in noise. $1: training images.
make_data() {
    mkdir -p "$dir/data"
    python3 - "$dir/data" "$1" 80 <<'END'
import random, struct, sys
folder, noise = sys.argv[1], random.Random(7)
for name, n in (("train", int(sys.argv[2])), ("t10k", int(sys.argv[3]))):
    images, labels = bytearray(), bytearray()
    for i in range(n):
        labels.append(i % 2)
        for y in range(8):
            bright = 60 if (y < 4) == (i % 2 == 0) else 0
            images += bytes(bright + noise.randrange(160) for x in range(8))
    with open(f"{folder}/{name}-images-idx3-ubyte", "wb") as f:
        f.write(struct.pack(">IIII", 0x803, n, 8, 8) + images)
    with open(f"{folder}/{name}-labels-idx1-ubyte", "wb") as f:
        f.write(struct.pack(">II", 0x801, n) + labels)
END
}
little="-p height=8 -p width=8 -p channels=4 -p classes=2 -p least_macs=0 -p most_macs=1e8"
# A search over them. $1: the file.
make_search() {
    cat >"$1" <<END
space: quick
parameters: {height: 8, width: 8, channels: 4, classes: 2, least_macs: 0, most_macs: 1e8}
seed: 3
window: 3
data: {name: $dir/data, validation: 40}
controller: {name: evolution, population: 3, sample: 2}
evaluator: {name: train, epochs: 1, batch: 20, learning_rate: 0.05}
budget: {trials: 6}
final: {epochs: 2, batch: 20}
END
}
