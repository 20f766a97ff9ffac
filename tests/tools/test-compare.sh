#!/bin/sh
# nas compare: a table made here, every file that it writes, the same for any number of threads, and what it
# refuses.
case $1 in
/*) nas=$1 ;;
*) nas=$PWD/$1 ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
n=0
check() { # NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

# The table of a space with 6,561 networks: the score counts the 2s, an evaluation of i 1s takes 1 + i.
awk 'BEGIN { print "arch,val,test,time"
    for (i = 0; i < 6561; i++) {
        text = ""; twos = 0; ones = 0; left = i
        for (k = 0; k < 8; k++) {
            digit = left % 3; left = (left - digit) / 3; text = digit text
            twos += digit == 2; ones += digit == 1
        }
        print text "," twos * 10 "," twos * 9 "," 1 + ones
    } }' >table.csv
cat >compare.yaml <<'END'
space: nas-bench-macro
table: {path: table.csv, accuracy: val, test: test, seconds: time}
seeds: 20
budgets: [5, 20]
controllers:
  plain: {name: evolution, population: 4, sample: 2}
  again: {name: random}
END
"$nas" compare compare.yaml -o one --threads 1 >one.out 2>one.err; check "it runs" $?
"$nas" compare compare.yaml -o two --threads 3 >two.out 2>&1; check "in threads" $?
for file in compare.txt compare.csv seeds.csv compare.svg; do
    cmp -s one/$file two/$file; check "$file is the same for any number of threads" $?
done
[ "$(wc -l <one/compare.csv)" -eq 9 ]; check "a line for each of 4 controllers and 2 budgets" $?
[ "$(wc -l <one/seeds.csv)" -eq 161 ]; check "a line for each seed" $?
grep -q "^again .*no better than random (p = 1.0000)" one/compare.txt; check "random is no better than random" $?
grep -q "^local-search .*; better than random" one/compare.txt; check "local search is better" $?
grep -q "optimum, 72<" one/compare.svg; check "the optimum is drawn" $?
sed 's/^seeds.*/seeds: 20\nworkers: 5\nunit: seconds/; s/\[5, 20\]/[30, 60]/' compare.yaml >timed.yaml
"$nas" compare timed.yaml -q -o three >/dev/null 2>three.err; check "five simulated workers" $?
cp table.csv good.csv
refuses() { # NAME WORDS
    "$nas" compare compare.yaml -o four >four.out 2>four.err
    status=$?
    [ $status -ne 0 ] && [ "$(wc -l <four.err)" -eq 1 ] && grep -q "$2" four.err && [ ! -s four.out ]
    check "$1" $?
}
sed '7s/,.*/,high,1,1/' good.csv >table.csv; refuses "a text for a number" "table.csv:7: 'high'"
sed '9p' good.csv >table.csv; refuses "a doubled line" "table.csv:10: the architecture of line 9 comes again"
sed '9d' good.csv >table.csv; refuses "a missing architecture" "is missing (1 of 6561"
cp good.csv table.csv
sed -i 's/sample: 2/sample: 9/' compare.yaml; refuses "a population smaller than the sample" "population, which is 4"
sed -i 's/seeds:/sedes:/' compare.yaml; refuses "an unknown key" "did you mean 'seeds'"
echo "1..$n"
