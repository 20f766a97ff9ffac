#!/bin/sh
# nas search by successive halving, ASHA, Hyperband and BOHB; BOHB over the example's space, cells and how
# they are trained. $1: the program.
. "$(dirname "$0")/common.sh"
examples="$(dirname "$0")/../../examples"
make_data 200
make_search "$dir/search.yaml"

for name in halving asha hyperband; do
    sed "s/^controller:.*/controller: {name: $name, max_epochs: 3}/" "$dir/search.yaml" >"$dir/$name.yaml"
    try "by $name" 0 "test accuracy" search "$dir/$name.yaml" -o "$dir/$name" --trials 15
    grep -q "^1 to 3 epochs: rank correlation .* over [1-9].* promoted$" "$dir/out"
    case_is "$name says how far ranks hold" 0 "$?" "" "$dir/out"
    "$nas" search "$dir/$name.yaml" -o "$dir/$name-one" --trials 15 -s workers=1 -q >"$dir/out" 2>&1
    for other in "$name" "$name-one"; do
        "$nas" dump "$dir/$other" --canonical 2>&1 | grep -v '^settings: ' >"$dir/dump.$other"
    done
    same "$name: equal dumps for 3 workers and 1" "$dir/dump.$name" "$dir/dump.$name-one"
done

sed -e "s|examples/quick-hyper.yaml|$examples/quick-hyper.yaml|" \
    -e "s|^data:.*|data: {name: $dir/data, validation: 40}|" \
    -e "s|^evaluator:.*|evaluator: {name: train, schedule: one-cycle, warmup: 0.1, validate: 2}|" \
    -e "s|^budget:.*|budget: {trials: 52}|" \
    -e "s|^final:.*|final: {epochs: 1}|" "$examples/quickstart-bohb.yaml" >"$dir/bohb.yaml"
echo "parameters: {height: 8, width: 8, channels: 4, classes: 2, least_macs: 0, most_macs: 1e8}" \
    >>"$dir/bohb.yaml"
try "by BOHB, over cells and hyper-parameters" 0 "test accuracy" search "$dir/bohb.yaml" -o "$dir/bohb" \
    -s controller.random_fraction=0 -s controller.samples=8
grep -q "0.333.* to 1 epochs: rank correlation" "$dir/out"
case_is "it says how far ranks hold" 0 "$?" "" "$dir/out"
"$nas" dump "$dir/bohb" --canonical >"$dir/out" 2>&1
case_is "some of its candidates are the model's" 0 "$?" "model of " "$dir/out"
grep -q "learning_rate=.*weight_decay=.*batch=" "$dir/bohb/best.arch"
case_is "the best names its hyper-parameters" 0 "$?" "" "$dir/bohb/best.arch"
try "it is replayed" 0 "" replay "$dir/bohb"
fails "an unknown setting" 1 "did you mean 'random_fraction'" search "$dir/bohb.yaml" -o "$dir/none" \
    -s controller.random_fractoin=0
finish
