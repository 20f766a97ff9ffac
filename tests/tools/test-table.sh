#!/bin/sh
# nas search and nas compare on tables of learning curves, in the shapes in which they come, and what is said
# of those that are wrong; several objectives. $1: the program. Nothing is trained, no data is needed.
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

# 27 networks, three epochs; the fourth line is what the cases below change.
awk 'BEGIN { print "acc_1,acc_2,acc_3,net,time,size"
    for (i = 0; i < 27; i++) print i % 7 / 10 "," i % 5 / 10 + 0.2 "," i / 27 ",net=" i "," 1 + i % 3 "," 100 - i
}' >table.csv
printf 'space: small\ndecisions:\n  - {name: net, integer: [0, 26]}\n' >small.yaml
search() { # controller settings
    cat >search.yaml <<END
space: small.yaml
controller: {$1}
evaluator: {name: table, path: table.csv, arch: net, curve: acc_, seconds: time, metrics: size}
budget: {epochs: 60}
END
}
compare() { # unit, workers
    cat >compare.yaml <<END
space: small.yaml
table: {path: table.csv, arch: net, curve: acc_, seconds: time}
unit: $1
budgets: [10, 60]
workers: $2
seeds: 6
controllers:
  hyperband: {min_epochs: 1, max_epochs: 3}
  asha: {min_epochs: 1, max_epochs: 3}
  bohb: {min_epochs: 1, max_epochs: 3}
END
}

for name in halving asha hyperband bohb; do
    search "name: $name, min_epochs: 1, max_epochs: 3"
    try "by $name, without data and without a final training" 0 "1 to 3 epochs: rank correlation" \
        search search.yaml -o "$name"
    [ -s "$name/best.arch" ] && [ -s "$name/report.html" ]
    case_is "$name leaves its best and a report" 0 "$?" "" out
    grep -q "<h2>How far ranks hold</h2>" "$name/report.html" &&
        grep -q "<li>1 to 3 epochs: rank correlation .* promoted</li>" "$name/report.html" &&
        "$nas" report "$name" --text -o - | grep -q "^1 to 3 epochs: rank correlation"
    case_is "its report says how far ranks hold" 0 "$?" "" out
    try "$name is replayed" 0 "are the same" replay "$name/search.nas"
done
json "as JSON" "d['final'] is None and d['best']['arch'].startswith('net=') and d['distinct'] > 5" \
    search search.yaml -o as-json --json
"$nas" report asha --text -o - >out 2>&1
[ "$(grep -c '^[1-4]\. trial' out)" = 4 ]
case_is "the report names different networks" 0 "$?" "" out
for unit in epochs seconds; do
    compare $unit 3
    try "compared by $unit" 0 "" compare compare.yaml -o compared -q
    grep -q "^after 60 $unit" compared/compare.txt && grep -q "^bohb " compared/compare.txt
    case_is "the text has its budgets" 0 "$?" "" compared/compare.txt
done
mv compared/compare.csv kept.csv
again() { # description, file
    "$nas" compare "$2" -o compared -q >out 2>&1
    same "$1" kept.csv compared/compare.csv
}
cp table.csv good.csv
sed 's/$/\r/' good.csv >table.csv && again "lines that end as on other systems" compare.yaml
sed '1s/^/\xef\xbb\xbf/' good.csv >table.csv && again "a byte order mark" compare.yaml
sed 's/,\(net=[0-9]*\),/,"\1",/' good.csv >table.csv && again "quoted cells" compare.yaml
awk -F, 'BEGIN { OFS = "," } { print $4, $3, $1, $2, $6, $5 }' good.csv >table.csv
again "columns in another order" compare.yaml
sed '4s/[^,]*,net/,net/' good.csv >table.csv
try "a curve that ends early" 0 "" compare compare.yaml -o compared -q

wrong() { # description, words
    fails "$1" 1 "$2" compare compare.yaml -o none -q
}
sed '4s/,[^,]*/,/' good.csv >table.csv
wrong "a curve with a gap" "table.csv:4: the curve lacks epoch 2, but has 3"
sed '4s/^[^n]*/,,,/' good.csv >table.csv
wrong "a curve without points" "table.csv:4: the curve has no points"
sed '4s/^[^,]*/high/' good.csv >table.csv
wrong "a text for a number" "table.csv:4: 'high' in column 1 is not a number"
sed 4d good.csv >table.csv
wrong "a missing architecture" "the architecture 'net=2' is missing (1 of 27"
sed 4p good.csv >table.csv
wrong "a doubled line" "table.csv:5: the architecture of line 4 comes again"
sed '4s/,.*//' good.csv >table.csv
wrong "a line of one cell" "table.csv:4: 1 cells, but the header has 6"
sed '4s/net=2/net=x/' good.csv >table.csv
wrong "an architecture that is none" "'net' cannot be 'x'"
sed 1d good.csv >table.csv
wrong "no header" "table.csv:1: no column is named 'net'"
: >table.csv
wrong "an empty file" "table.csv: the table is empty"
cp good.csv table.csv
sed -i 's/curve: acc_/curve: auc_/' compare.yaml
wrong "a curve of another name" "no column is named 'auc_1'"
compare epochs 1
sed -i 's/asha:.*/evolution: {population: 3, sample: 4}/' compare.yaml
wrong "a population smaller than the sample" "sample is 4, must be in 1 .. population, which is 3"

# Several objectives.
search "name: nsga2, objectives: \"accuracy,-size\", population: 8"
sed -i 's/^budget.*/budget: {trials: 60}/' search.yaml
two="-s objective.metric=accuracy,size -s objective.minimise=size -s objective.weight=1,0.001"
# shellcheck disable=SC2086 # words
try "two objectives" 0 "" search search.yaml -o front -q $two
"$nas" dump front >out
case_is "the store says which" 0 "$?" "maximise accuracy weight 1; minimise size weight 0.001" out
python3 - out <<'END' >said 2>&1
import json, re, sys
line = next(l for l in open(sys.argv[1]) if l.startswith("trial 0:"))
metrics = json.loads(re.search(r"metrics=(\{.*?\})", line).group(1))
score = float(re.search(r"score=(\S+)", line).group(1))
assert abs(score - (metrics["accuracy"] - 0.001 * metrics["size"])) < 1e-12, (score, metrics)
END
case_is "the score is their weighted sum" 0 "$?" "" said
refuse() { # description, words, settings ...
    description=$1 words=$2
    shift 2
    # shellcheck disable=SC2086 # words
    fails "$description" 2 "$words" search search.yaml -o none -q $two "$@"
}
refuse "too few weights" "'1' has 1 numbers for 2 metrics" -s objective.weight=1
refuse "too many weights" "more numbers than there are metrics, 2" -s objective.weight=1,1,1
refuse "a weight that is none" "objective.weight: 'x' is not a number" -s objective.weight=1,x
refuse "a metric twice" "names 'size' twice" -s objective.metric=size,size
refuse "a metric that is empty" "1 to 63 characters" -s objective.metric=size,,accuracy
refuse "to be small what is no objective" "neither true nor false, and no metric" -s objective.minimise=params
finish
