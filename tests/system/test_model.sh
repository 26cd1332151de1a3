#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 600
#
# test_model.sh - tests/model/fold.pml holds, and each of the mistakes that it knows is found.
# A model that finds no mistake proves nothing.

set -u

if ! command -v spin >/dev/null; then
	echo "there is no spin (scripts/install-deps test installs it)"
	exit 77
fi
model=${SRCDIR:-.}/tests/model/fold.pml
model=$(realpath "$model") || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# check DEFINES...: the number of errors that the search finds, in $errors; its last words in out
check() {
	rm -f pan ./*.trail
	errors=none
	spin -a "$@" "$model" >out 2>&1 || return
	gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c >out 2>&1 || return
	./pan -m20000 >out 2>&1
	# A search that was cut short has found nothing.
	grep -q 'max search depth too small\|out of memory' out && return
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out)
}

tell() {
	echo "$1: $2, $(sed -n 's/ *\([0-9]*\) states, stored.*/\1 states/p' out)"
}

for defines in '-DKILLS=2' '-DKILLS=1 -DSLOTS=2'; do
	# shellcheck disable=SC2086  # several words
	check $defines
	tell "model $defines" "$errors errors"
	if [ "$errors" != 0 ]; then
		cat out
		failed=1
	fi
done

mistakes=$(grep -oE 'BUG_[A-Z_]+' "$model" | sort -u)
for mistake in $mistakes; do
	[ "$mistake" = BUG_ ] && continue
	check "-D$mistake"
	tell "$mistake" "$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' out)"
	if [ "$errors" != 1 ]; then
		echo "the mistake $mistake was not found: $errors errors"
		cat out
		failed=1
	fi
done
exit $failed
