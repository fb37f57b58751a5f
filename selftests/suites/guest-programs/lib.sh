# shellcheck shell=sh
# guest-programs/lib.sh - what the suites with Linux guests share; sourced on the
# board, where selftests/Makefile has put it into /lab/selftests/guest-programs.
#
#   ok STATUS NAME, skip NAME WHY, diag < TEXT, plan     TAP, numbered
#   guest_add SRC DEST        a file or a directory into the guests' initramfs
#   guest_programs            the programs of this directory, as /programs
#   in_guest NAME KERNEL OPTIONS COMMAND
#                             boots a guest; the unnumbered TAP lines that the
#                             command prints become ours, prefixed with NAME
#   $here                     where this file and the programs are
#   free_kb                   host memory that is free once all is given back
here=/lab/selftests/guest-programs
n=0 failed=0

ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failed=1
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}

diag() {
	sed 's/^/# /'
}

# The last line of every suite.
plan() {
	echo "1..$n"
	exit $failed
}

guest_add() {
	d=$(mktemp -d)
	mkdir -p "$d/$2"
	if [ -d "$1" ]; then
		cp -r "$1/." "$d/$2"
	else
		rmdir "$d/$2"
		cp "$1" "$d/$2"
	fi
	(cd "$d" && find . | sed 's|^\./||' | grep -v '^\.$' | cpio -o -H newc 2>/dev/null) >>/guest/initrd
	rm -rf "$d"
}

guest_programs() {
	guest_add "$here" programs
}

# What a command in a guest printed: its results, numbered as ours.
take() {
	while IFS= read -r line; do
		case $line in
		"ok "*) r=0 ;;
		"not ok "*) r=1 ;;
		"1.."* | "TAP version"* | '') continue ;;
		"#"*) echo "$line" && continue ;;
		*) echo "# $line" && continue ;;
		esac
		line=${line#not } line=${line#ok }
		# A number of the guest's own.
		case ${line%% *} in
		*[!0-9]*) ;;
		*) line=${line#* } ;;
		esac
		case $line in
		*"# SKIP"*) n=$((n + 1)) && echo "ok $n $1: $line" ;;
		*) ok "$r" "$1: ${line#- }" ;;
		esac
	done
}

in_guest() {
	name=$1 kernel=$2 options=$3
	shift 3
	out=$(mktemp)
	# shellcheck disable=SC2086
	guest -k "$kernel" -t 0 -l "$out.console" $options -- "$*" >"$out" 2>"$out.err"
	s=$?
	take "$name" <"$out"
	diag <"$out.err"
	[ $s = 0 ]
	ok $? "$name: the guest's command ends with 0"
	if [ $s != 0 ]; then
		echo "status $s; the end of the guest's console:" | diag
		tail -n 40 "$out.console" | tr -d '\r' | diag
	fi
	# What is missing must not look like what passed.
	! grep -q 'not found' "$out.err"
	ok $? "$name: the guest has what its command needs"
	# Oops and the like do not end a guest.
	! grep -E 'WARNING: |BUG: |Oops|Call Trace|rcu: INFO|lockup|Unable to handle' "$out.console" >"$out.bad"
	ok $? "$name: the guest's kernel has no complaint"
	diag <"$out.bad"
	rm -f "$out" "$out.err" "$out.console" "$out.bad"
	return $s
}

# Memory comes back late (RCU, work queues, per-CPU lists): the best of 4 s.
free_kb() {
	best=0
	for _ in 1 2 3 4 5 6 7 8; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		sleep 0.5
		# Each CPU keeps some megabytes of free pages for itself.
		kb=$(awk '/^MemFree/ { kb += $2 } $1 == "count:" { kb += 4 * $2 } END { print kb }' \
			/proc/meminfo /proc/zoneinfo)
		[ "$kb" -le "$best" ] || best=$kb
	done
	echo "$best"
}
