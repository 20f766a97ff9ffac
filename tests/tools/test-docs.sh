#!/bin/sh
# The manual page and the completion name every command and every option that the program has, and no
# others. $1: the program, $2: the manual page, $3: the completion.
. "$(dirname "$0")/common.sh"
page=$2
completion=$3

"$nas" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' >"$dir/commands"
[ "$(wc -l <"$dir/commands")" -ge 8 ]
case_is "the help lists commands" 0 "$?" "search" "$dir/commands"
options() { # command: its options, one a line, long and short
    "$nas" "$1" --help | sed -n '/^Options:/,$p' | grep -o -E -- '^ +(-[a-z],)? *--[a-z-]+' |
        tr ', ' '\n\n' | grep '^-' | sort
}

# ---- the manual page, without its markup
sed -e 's/\\f[BRI]//g' -e 's/\\-/-/g' -e 's/^\.B[RI]* //; s/^\.I //' "$page" >"$dir/page"
section() { # heading
    sed -n "/^\.S[SH] \"*$1/,/^\.S[SH] /{/^\.S[SH] \"*$1/p; /^\.S[SH]/!p;}" "$dir/page"
}
section "COMMON OPTIONS" >"$dir/common"
has_option() { # option, file
    grep -q -E -e "(^|[^a-z-])$1([^a-z-]|\$)" "$2"
}
while read -r command; do
    section "nas $command" >"$dir/section"
    missing=""
    [ -s "$dir/section" ] || missing=" its section"
    for option in $(options "$command"); do
        has_option "$option" "$dir/section" && continue
        # a common option's long name stands once, with its explanation
        case $option in --*) has_option "$option" "$dir/common" && continue ;; esac
        missing="$missing $option"
    done
    echo "missing:$missing" >"$dir/out"
    case_is "manual page: nas $command" "" "$missing" "" "$dir/out"
    # and the other way round
    options "$command" >"$dir/options"
    strange=""
    for option in $(grep -o -E -e '(^|[^a-z-])--?[a-z][a-z-]*' "$dir/section" | grep -o -E -e '--?[a-z][a-z-]*$'); do
        case $option in -9 | -out | -mnist | -accumulates) continue ;; esac
        grep -q -x -e "$option" "$dir/options" || strange="$strange $option"
    done
    echo "not of the program:$strange" >"$dir/out"
    case_is "manual page: nas $command names no other option" "" "$strange" "" "$dir/out"
done <"$dir/commands"
grep '^\.SS "nas ' "$page" | sed 's/^\.SS "nas \([a-z]*\).*/\1/' | sort >"$dir/x"
sort "$dir/commands" >"$dir/y"
same "manual page: exactly the commands" "$dir/x" "$dir/y"
grep -qF "\"libnas $("$nas" --version | sed 's/^nas //')\"" "$page"
case_is "manual page: the version" 0 "$?" "" "$dir/x"
if command -v man >/dev/null 2>&1 && command -v groff >/dev/null 2>&1; then
    LC_ALL=C MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>"$dir/out" >/dev/null
    [ ! -s "$dir/out" ]
    case_is "manual page: no warnings" 0 "$?" "" "$dir/out"
elif command -v groff >/dev/null 2>&1; then
    groff -man -ww -Tutf8 -z "$page" >"$dir/out" 2>&1
    [ ! -s "$dir/out" ]
    case_is "manual page: no warnings" 0 "$?" "" "$dir/out"
else
    skip "manual page: no warnings" "there is neither man nor groff"
fi

# ---- the completion, as bash would call it
if ! command -v bash >/dev/null 2>&1; then
    skip "completion" "there is no bash"
    finish
    exit
fi
completes() { # words of a command line; the last is being completed
    bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nas; printf "%s\n" "${COMPREPLY[@]}"' \
        "$completion" "$nas" "$@" 2>"$dir/errors" | sort
    cat "$dir/errors"
}
completes "" >"$dir/x"
{
    cat "$dir/commands"
    printf '%s\n' --help --version
} | sort >"$dir/y"
same "completion: exactly the commands" "$dir/x" "$dir/y"
while read -r command; do
    completes "$command" - >"$dir/x"
    options "$command" >"$dir/y"
    same "completion: exactly the options of nas $command" "$dir/x" "$dir/y"
done <"$dir/commands"
offers() { # description, wanted, words ...
    description=$1 wanted=$2
    shift 2
    completes "$@" >"$dir/out"
    grep -q -x -F -e "$wanted" "$dir/out"
    case_is "completion: $description" 0 "$?" "" "$dir/out"
}
cd "$dir" || exit 1
: >a.nas
: >a.yaml
: >a.txt
offers "presets" quick space show q
offers "presets for --space" nas-bench-201 search --space = nas
offers "presets of arch" quick arch info ""
offers "published networks" DARTS_V2 arch info darts DARTS
offers "encodings" path space encode quick --as p
offers "stores" a.nas list ""
offers "stores after an option" a.nas list --best 3 ""
offers "search files" a.yaml search ""
offers "space files" a.yaml train ""
offers "settings" budget.trials= search --set budget.t
offers "settings of a training" batch= train -s b
offers "controllers" evolution search --controller e
offers "orders" accuracy list --sort acc
completes list "" | grep -q a.txt
case_is "completion: no other files" 1 "$?" "" "$dir/out"
finish
