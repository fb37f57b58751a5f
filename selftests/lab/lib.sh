# shellcheck shell=sh
# selftests/lab/lib.sh - what the lab's shell scripts share: where things lie,
# how they speak. Sourced by setup, enter, build and board; the caller sets
# LAB (this directory) first.

: "${LAB:?lib.sh is sourced by the scripts of selftests/lab, which set LAB}"
TREE=$(cd "$LAB/../.." && pwd -P)
UMBRA_CACHE=${UMBRA_CACHE:-${HOME:-/root}/.cache/umbra}
case $UMBRA_CACHE in
/*) ;;
*) UMBRA_CACHE=$PWD/$UMBRA_CACHE ;;
esac
# shellcheck disable=SC2034 # used by those who source this
ROOT=$UMBRA_CACHE/root
export UMBRA_CACHE

# What the top-level make was given is for the lab, not for the makes it runs.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL ARCH CROSS_COMPILE CC CFLAGS LDFLAGS KDIR

say() { printf 'lab: %s\n' "$*" >&2; }

# die WHAT-HAPPENED [WHAT-TO-DO]: the one clear message of a failure.
die() {
	printf 'lab: error: %s\n' "$1" >&2
	[ $# -lt 2 ] || printf 'lab:        %s\n' "$2" >&2
	exit 1
}

# kernel_env HOST: sets KVER KDIR VMLINUZ MODULES KCONFIG for trixie or
# forky (paths are those inside the lab's root).
kernel_env() {
	[ -r "$UMBRA_CACHE/kernels/$1.env" ] ||
		die "no kernel named '$1' in $UMBRA_CACHE/kernels" \
			"use one of: trixie forky; or run selftests/lab/setup"
	# shellcheck disable=SC1090
	. "$UMBRA_CACHE/kernels/$1.env"
}
