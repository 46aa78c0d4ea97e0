#!/bin/sh
# A User Mode Linux kernel with gpio-sim, for the tests of the pins: a real /dev/gpiochip0 without
# hardware, without KVM and without a module on the host.  From Debian's source package, about
# three minutes of CPU time.  Does nothing, quickly, when the cache has it.
# usage: tools/build_uml.sh            builds
#        tools/build_uml.sh --where    prints where the kernel is, or will be
set -eu
here=$(dirname "$(realpath "$0")")
# shellcheck source=tools/cached.sh
. "$here/cached.sh"

version=6.1 # what Debian 12 has the source of
source=/usr/src/linux-source-$version.tar.xz

# patch_in FOLDER: this kernel was written for an older C library and older processors.
patch_in() {
    # glibc 2.33 has no __xmknod to export.
    sed -i '/^EXPORT_SYMBOL_PROTO(__xmknod);/d' "$1/arch/um/os-Linux/user_syms.c"
    # What a signal saves is larger on processors with AMX: 11,264 bytes hold it.
    sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, *2696)/DEFINE_LONGS(HOST_FP_SIZE, 11264)/' \
        "$1/arch/x86/um/user-offsets.c"
    # gpio-sim asks for an interrupt for each pin, and there are no more than the kernel's own.
    sed -i 's/^#define NR_IRQS\(\t*\)UM_LAST_SIGNAL_IRQ$/#define NR_IRQS\1(UM_LAST_SIGNAL_IRQ + 128)/' \
        "$1/arch/um/include/asm/irq.h"
    # No modules here: the I2C stub is built in, and takes its address from the command line.
    sed -i '/^config I2C_STUB/,/^$/s/depends on m$/depends on I2C/' "$1/drivers/i2c/Kconfig"
}

# make_in FOLDER: unpacks, patches and compiles there.
make_in() {
    cd "$1"
    # Drivers that are never compiled: half of the source, the files that steer its making excepted.
    tar -xf "$source" --exclude='*/drivers/gpu/*.[ch]' \
        --exclude='*/drivers/media/*.[ch]' --exclude='*/sound/*.[ch]' --exclude='*.dts' \
        --exclude='*.dtsi' --exclude='*.rst'
    cd "linux-source-$version"
    patch_in .
    make -s ARCH=um tinyconfig
    cat "$here/uml.config" >>.config
    make -s ARCH=um olddefconfig
    for line in $(grep '^CONFIG' "$here/uml.config"); do
        if ! grep -qx "$line" .config; then
            echo "$line did not hold" >&2
            exit 1
        fi
    done
    make -s ARCH=um -j"$(nproc)" linux
}

# build_into NEW-FOLDER
build_into() {
    cached_needs "$source" "linux-source-$version" gcc gcc make make flex flex bison bison bc bc
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "building a User Mode Linux kernel, once (three minutes)"
    # A child of its own: in a condition this shell would not stop at a failure.
    "$0" --make-in "$work" >"$work/log" 2>&1 || {
        tail -n 30 "$work/log" >&2
        exit 1
    }
    cp "$work/linux-source-$version/linux" "$1"
}

place=$(cached_place uml "$version" "$0" "$here/uml.config")
case ${1:-} in
--where) echo "$place/linux" ;;
--into) build_into "$2" ;;
--make-in) make_in "$2" ;;
*) cached_build "$place" "$0" --into ;;
esac
