#!/bin/sh
# The nas program from outside: every command's --help, spaces and architectures, what is not
# understood. $1: the program.
. "$(dirname "$0")/common.sh"

try "no command" 2 "Usage: nas"
fails "an unknown command" 2 "there is no command 'serach'; did you mean 'search'?" serach
fails "a command that is near none" 2 "nas --help lists them" frobnicate
fails "an unknown option instead of a command" 2 "there is no option '--serach'" --serach
try "help" 0 "Commands:" --help
try "version" 0 "nas 0." --version
for command in search resume replay list report dump train tune space arch; do
    try "$command is in the help" 0 "  $command " --help
    try "$command --help" 0 "Usage: nas $command " $command --help
    try "$command -h" 0 "--help" $command -h
    try "$command --version" 0 "nas 0." $command --version
    fails "$command --hlep" 2 "there is no option '--hlep'; did you mean '--help'?" $command --hlep
    fails "$command -Z" 2 "nas $command --help lists them" $command -Z
    fails "$command without arguments" 2 "$command takes" $command
    fails "$command with too many" 2 "one argument too many" $command a b c d e
done

cell='|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|'
try "costs of a published cell" 0 "params            1288506" arch info nas-bench-201 "$cell"
json "the same as JSON" \
    "(d['params'], d['macs'], d['published_flops'], d['space']) == (1288506, 184730240, 184730250, 'nas-bench-201') and d['activation_bytes'] > 0 and d['depth'] > 0 and d['weight_bytes'] == 4 * d['params']" \
    arch info nas-bench-201 "$cell" --json
json "what nobody published is null" "d['published_flops'] is None" arch info -j quick \
    "$("$nas" space sample quick)"
try "into a file" 0 "" arch info nas-bench-201 "$cell" --json -o "$dir/cell.json"
"$nas" arch info nas-bench-201 "$cell" --json >"$dir/cell.json2"
same "the file has what standard output has" "$dir/cell.json" "$dir/cell.json2"
fails "an unknown operation" 1 "did you mean 'nor_conv_3x3'?" arch info nas-bench-201 '|nor_conv_3x4~0|'
fails "an unknown verb of arch" 2 "did you mean 'info'?" arch inof nas-bench-201 "$cell"

drawn='|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|none~2|'
try "a drawing as text" 0 "avg_pool_3x3(1)  (leads nowhere)" arch draw nas-bench-201 "$drawn"
try "a drawing for graphviz" 0 'n0_0 -> n0_3 [label="skip_connect"]' arch draw nas-bench-201 "$drawn" --dot
try "a drawing into a file" 0 "" arch draw nas-bench-201 "$drawn" -o "$dir/cell.svg"
python3 -c 'import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag)' "$dir/cell.svg" \
    >"$dir/out" 2>&1
case_is "it is SVG" 0 "$?" "{http://www.w3.org/2000/svg}svg" "$dir/out"
json "a plan of a training" "d['steps'] > 100 and d['tensor_bytes'] > 1e8" arch plan nas-bench-201 "$cell" --json
"$nas" arch plan nas-bench-201 "$cell" --json >"$dir/fused.json"
"$nas" arch plan nas-bench-201 "$cell" --json --no-fusion >"$dir/plain.json"
python3 -c 'import json, sys; a, b = (json.load(open(n)) for n in sys.argv[1:]); assert b["tensor_bytes"] > 1.2 * a["tensor_bytes"]' \
    "$dir/fused.json" "$dir/plain.json" 2>"$dir/err"
case_is "fusion takes less memory" 0 "$?" "" "$dir/err"
try "a plan names its steps" 0 "norm_sum" arch plan nas-bench-201 "$cell"
fails "a plan in too little memory" 1 "and the limit is 1000000: use a smaller batch" arch plan nas-bench-201 "$cell" --memory 1000000
fails "two forms of a drawing" 2 "one of --svg, --dot, --text" arch draw nas-bench-201 "$drawn" --dot --svg

try "presets" 0 "nas-bench-201" space list
json "presets as JSON" "'quick' in d and 'nas-bench-201' in d" space list --json
fails "space list takes no space" 2 "space list takes no more" space list quick
fails "an unknown verb of space" 2 "did you mean 'sample'?" space smaple quick
fails "a space is needed" 2 "space count takes a space" space count
fails "an unknown space" 1 "did you mean 'quick'?" space show quikc
try "show" 0 "template: cells" space show quick
json "show as JSON" "'template: cells' in d['text'] and d['decisions'] > 0" space show quick --json
try "count" 0 "15625" space count nas-bench-201
json "count as JSON" "d['count'] == '15625'" space count nas-bench-201 --json
"$nas" space show quick -p channels=8 -o "$dir/space.yaml"
try "a space file" 0 "$("$nas" space count quick)" space count "$dir/space.yaml"
try "a published network by name" 0 "params            3349342" arch info darts DARTS_V2
fails "a published network misspelt" 1 "did you mean 'DARTS_V2'?" arch info darts DART_V2
fails "a network of another space" 1 "best: architecture: character 1" arch info darts best
try "published networks" 0 "NASNet-A" space published nasnet
json "published networks as JSON" "d == ['DARTS_V1', 'DARTS_V2']" space published darts --json
try "a count past 64 bits" 0 "160618186625454535808756219904" space count enas-macro
try "check" 0 "nas-bench-macro: good, 8 decisions, 6561 architectures" space check nas-bench-macro
json "check as JSON" "d['count'] == '6561' and d['params'] > 0" space check nas-bench-macro --json
try "neighbors" 0 "22212221" space neighbors nas-bench-macro 22212220
json "neighbors as JSON" "len(d) == 16 and '02212220' in d" space neighbors nas-bench-macro 22212220 --json
try "encode" 0 "1 0 0 0 1 0 0 0 1" space encode nas-bench-macro 01210000
json "encode otherwise" "d[:3] == [0, 0.5, 1]" space encode nas-bench-macro 01210000 --as adjacency --json
fails "encode as what" 2 "--as takes one-hot, adjacency or path" space encode nas-bench-macro 01210000 --as paths
try "diff of equal spaces" 0 "equal" space diff quick quick
try "diff" 0 "~ 1<-0: [none, skip_connect" space diff quick nas-bench-201
json "diff as JSON" "not d['equal'] and d['decisions'] == 6" space diff quick nas-bench-201 --json
fails "diff needs two spaces" 2 "space diff takes a space and another one" space diff quick
printf 'space: a\ndecisions:\n  - {name: x, choice: [a, b]}\nconstraints:\n  - x == a\n  - x == b\n' >"$dir/none.yaml"
fails "a space with nothing in it" 1 "none.yaml:5:5: space 'a': no architecture satisfies" space check "$dir/none.yaml"
fails "an unknown parameter" 1 "did you mean 'channels'?" space count quick -p chanels=3
fails "a parameter without a value" 1 "nas:" space count quick -p channels
fails "an option without its value" 2 "needs a value" space count quick -p
json "three samples" "len(d) == 3 and len(set(d)) == 3" space sample quick -n 3 --json
json "no samples" "d == []" space sample quick -n 0 --json
"$nas" space sample quick -n 5 --seed 2 >"$dir/a"
"$nas" space sample quick --count=5 --seed=2 >"$dir/b"
same "the seed decides the samples" "$dir/a" "$dir/b"
fails "a count that is none" 2 "-n: 'three' is not a whole number" space sample quick -n three
fails "a negative seed" 2 "--seed: '-1' is not a whole number" space sample quick --seed=-1
"$nas" arch info quick "$("$nas" space sample quick)" >"$dir/out" 2>&1
case_is "a sample is an architecture" 0 "$?" "params" "$dir/out"

# Output that cannot be written.
if [ -w /dev/full ]; then
    for what in "space show quick" "arch info nas-bench-201 $cell" "space list --json" --help; do
        # shellcheck disable=SC2086
        "$nas" $what >/dev/full 2>"$dir/out"
        case_is "a full disk: $what" 1 "$?" "nas: standard output cannot be written" "$dir/out"
        [ "$what" = --help ] && continue
        # shellcheck disable=SC2086
        fails "a full disk: $what -o" 1 "no space left on device" $what -o /dev/full
    done
else
    skip "a full disk" "there is no /dev/full"
fi
fails "a file in a folder that is not there" 1 "no such file" space show quick -o "$dir/none/x"
fails "a file that is a folder" 1 "directory" space show quick -o "$dir"
finish
