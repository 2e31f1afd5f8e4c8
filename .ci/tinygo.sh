#!/bin/sh
# Compiles to WebAssembly with TinyGo:
#
#	tinygo.sh plugin OUT PACKAGE [TAG]   a filter that a proxy loads
#	tinygo.sh test OUT PACKAGE           the package's tests as a WASI command
#
# The filter is built with the tag custommalloc: TinyGo's own malloc keeps what
# it hands out until somebody calls free, and proxies call malloc but never free.
set -eu
ci=$(cd "$(dirname "$0")" && pwd)
: "${TINYGO_VERSION:=0.41.1}"
"$ci/tools.sh" tinygo

built=$ci/../.tools/tinygo-$TINYGO_VERSION
if [ -x "$built/bin/tinygo" ]; then
	# A compiler built from its Go module has no C library of its own and
	# takes Debian's.
	export TINYGOROOT="$built"
	tinygo=$built/bin/tinygo
	target=$ci/tinygo/wasi-debian.json
else
	tinygo=tinygo
	target=wasip1
fi

verb=$1 out=$2 package=$3 tag=${4-}
case $verb in
plugin)
	exec "$tinygo" build -target="$target" -buildmode=c-shared -scheduler=none -gc=precise \
		-opt=s -no-debug -tags "custommalloc $tag" -o "$out" "$package"
	;;
test)
	# The testing package starts goroutines, for which it needs a scheduler.
	if [ "$target" != wasip1 ]; then
		# The flag -scheduler leaves out the assembler files that the
		# scheduler needs: it must stand in the target.
		target=$ci/../.tools/wasi-debian-asyncify.json
		# Several of these may run at once, and none may see half a file.
		sed 's/"scheduler": "none"/"scheduler": "asyncify"/' "$ci/tinygo/wasi-debian.json" >"$target.$$"
		mv "$target.$$" "$target"
	fi
	"$tinygo" test -c -target="$target" -scheduler=asyncify -gc=precise \
		-opt=2 -o "$out" "$package"
	# A package that does not compile is not an error to tinygo test.
	[ -e "$out" ] || { echo "$package: no test binary came of it" >&2; exit 1; }
	;;
*)
	echo "usage: tinygo.sh plugin|test OUT PACKAGE [TAG]" >&2
	exit 2
	;;
esac
