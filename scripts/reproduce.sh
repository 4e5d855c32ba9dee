#!/bin/sh
# Trains every committed model again and compares the files, byte for byte: some eight minutes on one core.
# CLINC150 is fetched, or read from the folder or file CLINC150.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ulm=.venv/bin/ulm
differ=0

again() { # MODEL RECIPE DATA
    $ulm train "$3" --recipe "$2" -o "$folder/$(basename "$1")" >/dev/null
    if cmp -s "$folder/$(basename "$1")" "$1"; then
        echo "$1: the same"
    else
        echo "$1: differs"
        differ=1
    fi
}

for name in ${*:-tinychat widechat commands micro64 micro256 micro18 guess adventure smalltalk clinc150}; do
    case $name in
    widechat) again models/widechat/widechat.ulm models/widechat/recipe.toml models/tinychat/data.txt ;;
    micro*) again "models/micro/$name.ulm" "models/micro/$name.toml" models/commands/data.txt ;;
    smalltalk | clinc150)
        options=
        [ "$name" = clinc150 ] || options="--replies models/smalltalk/replies.txt --others 5"
        # shellcheck disable=SC2086
        mkdir "$folder/$name"
        $ulm data fetch clinc150 -o "$folder/$name" ${CLINC150:+--from "$CLINC150"} $options >/dev/null
        again "models/$name/$name.ulm" "models/$name/recipe.toml" "$folder/$name/train.txt"
        ;;
    *) again "models/$name/$name.ulm" "models/$name/recipe.toml" "models/$name/data.txt" ;;
    esac
done
exit $differ
