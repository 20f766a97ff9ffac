#!/bin/sh
# make-presets.sh OUT FILE.yaml ...: the texts as C, one entry { "name", "text" } a file.
set -eu
out=$1
shift
for file in "$@"; do
    name=$(basename "$file" .yaml)
    printf '{"%s",\n' "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/ "/' -e 's/$/\\n"/' "$file"
    printf '},\n'
done >"$out"
