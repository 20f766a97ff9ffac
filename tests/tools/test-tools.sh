#!/bin/sh
# The nas program from outside: exit statuses, sentences, a small search on data made here, equal
# dumps for different numbers of workers, and after an interruption. $1: the program.
set -u
nas=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
good=0
case_is() { # description, wanted status, got status, wanted text, file
    n=$((n + 1))
    if [ "$2" = "$3" ] && { [ -z "$4" ] || grep -qF -- "$4" "$5"; }; then
        echo "ok $n - $1"
        good=$((good + 1))
    else
        echo "not ok $n - $1 (status $3, wanted $2 and \"$4\")"
        sed 's/^/# /' "$5"
    fi
}
try() { # description, status, text, arguments ...
    description=$1 wanted=$2 text=$3
    shift 3
    timeout 60 "$nas" "$@" >"$dir/out" 2>&1
    case_is "$description" "$wanted" "$?" "$text" "$dir/out"
}

try "no command" 2 "usage: nas"
try "unknown command" 2 "there is no command 'serach'" serach
try "help" 0 "Commands:" --help
try "version" 0 "nas 0." --version
for command in search resume space arch dump list report; do
    try "$command --help" 0 "" $command --help
done
try "costs of a published cell" 0 '"params": 1288506, "macs": 184730240, "published_flops": 184730250' \
    arch info nas-bench-201 \
    '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|' --json
try "unknown operation" 1 "did you mean 'nor_conv_3x3'?" arch info nas-bench-201 '|nor_conv_3x4~0|'
try "unknown space" 1 "did you mean 'quick'?" space show quikc
try "count" 0 "15625" space count nas-bench-201
try "sample" 0 "1<-0=" space sample quick -n 3
try "unknown parameter" 1 "did you mean 'channels'?" space count quick -p chanels=3
try "a store that is not there" 1 "nas:" list "$dir/none.nas"

bad() { # description, text, yaml
    printf "$3" >"$dir/bad.yaml"
    try "$1" 1 "$2" search "$dir/bad.yaml" -o "$dir/bad"
}
bad "a tab" "bad.yaml:2:" 'space: quick\n\tseed: 1\n'
bad "an unknown key" "there is no setting 'sapce'" 'sapce: quick\n'
bad "an alias cycle" "nas:" 'space: &a [*a]\n'
bad "an unknown setting of the data" "data has no setting 'nmae'" 'data: {nmae: x}\n'

# Two classes of 8 x 8 images: a bright top, a bright bottom.
mkdir "$dir/data"
images() { # images, file prefix
    {
        printf '\000\000\010\003\000\000'
        printf "\\$(printf %03o $(($1 / 256)))\\$(printf %03o $(($1 % 256)))"
        printf '\000\000\000\010\000\000\000\010'
        i=0
        while [ $i -lt "$1" ]; do
            if [ $((i % 2)) = 0 ]; then
                printf '%032d%032d' 0 0 | tr '0' '\012' | head -c 32
                printf '%032d' 0 | tr '0' '\310'
            else
                printf '%032d' 0 | tr '0' '\310'
                printf '%032d' 0 | tr '0' '\012'
            fi
            i=$((i + 1))
        done
    } >"$dir/data/$2-images-idx3-ubyte"
    {
        printf '\000\000\010\001\000\000'
        printf "\\$(printf %03o $(($1 / 256)))\\$(printf %03o $(($1 % 256)))"
        i=0
        while [ $i -lt "$1" ]; do
            printf "\\00$((i % 2))"
            i=$((i + 1))
        done
    } >"$dir/data/$2-labels-idx1-ubyte"
}
images 160 train
images 40 t10k
bad "an unknown setting of the evaluator, with data" "did you mean 'epochs'?" \
    "space: quick\nparameters: {height: 8, width: 8, channels: 4, least_macs: 0, most_macs: 1e8}\ndata: {name: $dir/data}\nevaluator: {epoch: 3}\n"
cat >"$dir/search.yaml" <<END
space: quick
parameters: {height: 8, width: 8, channels: 4, classes: 2, least_macs: 0, most_macs: 1e8}
seed: 3
window: 3
data: {name: $dir/data, validation: 40}
controller: {name: evolution, population: 3, sample: 2}
evaluator: {name: train, epochs: 1, batch: 20, learning_rate: 0.05}
budget: {trials: 6}
final: {epochs: 1, batch: 20}
END
try "a search" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/a"
try "a second one into the same folder" 1 "--resume" search "$dir/search.yaml" -o "$dir/a"
try "one worker" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/b" --set workers=1
try "four threads" 0 "test accuracy" search "$dir/search.yaml" -o "$dir/c" --set threads=4
try "resumed when it had ended" 0 "test accuracy" resume "$dir/a/search.nas"
try "list" 0 "params" list "$dir/a/search.nas"
try "a report" 0 "$dir/a/report.html" report "$dir/a/search.nas"
python3 -c 'import sys, xml.etree.ElementTree as e; r = e.parse(sys.argv[1]).getroot(); print(r.tag, len(r.findall(".//svg")))' \
    "$dir/a/report.html" >"$dir/out" 2>&1
case_is "the report is XML with pictures" 0 "$?" "html " "$dir/out"
try "a report as text" 0 "The best networks" report --text "$dir/a/search.nas"
try "a report with a title, to standard output" 0 "<h1>A &amp; B</h1>" report --title "A & B" --best 1 -o - \
    "$dir/a/search.nas"
try "a report into a folder that is not there" 1 "nas:" report -o "$dir/none/report.html" "$dir/a/search.nas"
try "a report of nothing" 2 "report takes one store" report
cell='|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|none~2|'
try "a drawing as text" 0 "avg_pool_3x3(1)  (leads nowhere)" arch draw nas-bench-201 "$cell"
try "a drawing for graphviz" 0 'n0_0 -> n0_3 [label="skip_connect"]' arch draw nas-bench-201 "$cell" --dot
try "a drawing into a file" 0 "" arch draw nas-bench-201 "$cell" -o "$dir/cell.svg"
python3 -c 'import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag)' "$dir/cell.svg" \
    >"$dir/out" 2>&1
case_is "it is SVG" 0 "$?" "{http://www.w3.org/2000/svg}svg" "$dir/out"
try "two forms of a drawing" 2 "one of --svg, --dot, --text" arch draw nas-bench-201 "$cell" --dot --svg
for other in a b c; do
    "$nas" dump "$dir/$other/search.nas" --canonical >"$dir/dump.$other" 2>&1
done
cmp "$dir/dump.a" "$dir/dump.b" >"$dir/out" 2>&1
case_is "equal dumps for 3 workers and 1" 0 "$?" "" "$dir/out"
cmp "$dir/dump.a" "$dir/dump.c" >"$dir/out" 2>&1
case_is "equal dumps for 2 threads and 4" 0 "$?" "" "$dir/out"
cmp "$dir/a/best.safetensors" "$dir/c/best.safetensors" >"$dir/out" 2>&1
case_is "equal weights for 2 threads and 4" 0 "$?" "" "$dir/out"

head -c 100 "$dir/data/train-images-idx3-ubyte" >"$dir/short" && mv "$dir/short" "$dir/data/train-images-idx3-ubyte"
try "an image file that ends too early" 1 "promises" search "$dir/search.yaml" -o "$dir/d"
echo garbage >"$dir/garbage.nas"
try "a file that is not a store" 1 "nas:" list "$dir/garbage.nas"
echo "1..$n"
[ "$good" = "$n" ]
