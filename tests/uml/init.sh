#!/bin/sh
# PID 1 inside User Mode Linux.  Its root is the host's, read-only; /run is its own.
# From the command line of the kernel: PYTHON, PYTHONPATH, MODULE, SEED.  What it writes is the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /run
mount -t configfs cfg /sys/kernel/config

# The header of a Raspberry Pi: one chip, 54 lines.
chip=/sys/kernel/config/gpio-sim/header
mkdir -p $chip/bank0
echo 54 >$chip/bank0/num_lines
echo pinctrl-bcm2711 >$chip/bank0/label
echo 1 >$chip/live
SIM=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
# rpi-lgpio wants to know which Pi this is, and there is no device tree: a Pi 4 (c03114).
export SIM RPI_LGPIO_REVISION=c03114 TMPDIR=/run HOME=/run LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
cd /run || exit 1
"$PYTHON" -m tests.uml.inside "$MODULE"
exec "$PYTHON" -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
