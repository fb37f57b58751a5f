"""selftests/lab/setup --disk: makes a disk with Debian for riscv64 on it.

Called by setup inside the lab's root, after mmdebstrap has unpacked the
packages (variant extract: no code of theirs has run) into CACHE/disk/root, with
the .deb files beside. Nothing of riscv64 runs on this machine:

  1. dpkg's database is written as dpkg --unpack would have left it;
  2. mke2fs makes the file system from the directory;
  3. an emulated board mounts it and runs `dpkg --configure -a`;
  4. with an ESP it becomes a disk, CACHE/disk/debian.img.

The disk (GPT): 1: ext4, label "root", with /boot/vmlinuz, /boot/initrd.img and
/boot/extlinux/extlinux.conf; 2: ESP with GRUB as \\EFI\\BOOT\\BOOTRISCV64.EFI.
In this order, and with the first marked bootable: U-Boot takes what it finds first,
and looks at nothing but an ESP where no other partition has the mark. The kernel's
command line says which of the two it was. root logs in without a password, on ttyS0.
"""

import glob
import os
import shutil
import subprocess
import sys
import tarfile

import lablib
from lablib import CACHE, Board, LabError, kernel, say

SUITE = "trixie"
DISK = os.path.join(CACHE, "disk")
ROOT = os.path.join(DISK, "root")
INFO = os.path.join(ROOT, "var/lib/dpkg/info")
MB = 1 << 20
ESP_MB, ROOT_MB = 64, 640
CMDLINE = "console=ttyS0 root=/dev/vda1 lab.loader="

FSTAB = "LABEL=root / ext4 defaults 0 1\n"
# An emulated machine in an emulated machine takes its time.
SYSTEM_CONF = "[Manager]\nDefaultTimeoutStartSec=900\nDefaultDeviceTimeoutSec=900\n"
EXTLINUX = """default debian
timeout 10
label debian
  linux /boot/vmlinuz
  initrd /boot/initrd.img
  append %sextlinux
""" % CMDLINE
GRUB = """search --no-floppy --label root --set=root
linux /boot/vmlinuz %sgrub
initrd /boot/initrd.img
boot
""" % CMDLINE

# What the board does; the file system is the whole of /dev/vda.
CONFIGURE = r"""#!/bin/sh
n=0
until [ -b /dev/vda ]; do n=$((n + 1)); [ $n -lt 100 ] || exit 3; sleep 0.2; done
mkdir -p /mnt
mount -t ext4 /dev/vda /mnt || exit 3
mount -t proc proc /mnt/proc
mount -t sysfs sys /mnt/sys
mount -o bind /dev /mnt/dev
chroot /mnt /usr/bin/env DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8 \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec '
	dpkg --force-unsafe-io --configure -a
	passwd -d root
	# No network, no updates; each copy makes an identity of its own.
	rm -f /etc/systemd/system/timers.target.wants/apt-daily*.timer
	: >/etc/machine-id
	# Nothing is left to do for "after an update" services.
	touch /etc/.updated /var/.updated
	dpkg --audit
	[ -z "$(dpkg --audit)" ]'
status=$?
umount /mnt/dev /mnt/sys /mnt/proc && umount /mnt || exit 4
exit $status
"""


def run(*cmd, **kw):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    if p.returncode:
        print(p.stdout.decode(errors="replace"), file=sys.stderr)
        raise LabError("%s failed" % " ".join(cmd))
    return p.stdout


def write(path, text, mode=0o644):
    path = os.path.join(ROOT, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


# --- 1. dpkg's database ------------------------------------------------------


def field(control, name):
    for line in control.splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return ""


def file_list(deb):
    """The names as dpkg keeps them in info/PACKAGE.list."""
    names = []
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as p:
        with tarfile.open(fileobj=p.stdout, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix(".").strip("/")
                names.append("/" + (name or "."))
    return "".join(n + "\n" for n in names)


def triggers(package, text):
    """Registers what a package wants to be told, as dpkg --unpack does."""
    base = os.path.join(ROOT, "var/lib/dpkg/triggers")
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) != 2 or not words[0].startswith("interest"):
            continue
        who = package + ("/noawait" if words[0] == "interest-noawait" else "")
        if words[1].startswith("/"):
            name, entry = "File", "%s %s\n" % (words[1], who)
        else:
            name, entry = words[1], who + "\n"
        with open(os.path.join(base, name), "a") as f:
            f.write(entry)


def register(deb):
    """One package's part of the database. Returns its status stanza."""
    tmp = os.path.join(DISK, "control")
    shutil.rmtree(tmp, ignore_errors=True)
    run("dpkg-deb", "--control", deb, tmp)
    with open(os.path.join(tmp, "control")) as f:
        control = f.read().strip("\n")
    package = field(control, "Package")
    name = package
    if field(control, "Multi-Arch") == "same":
        name += ":" + field(control, "Architecture")
    conffiles = ""
    for f in os.listdir(tmp):
        if f == "control":
            continue
        if f == "conffiles":
            with open(os.path.join(tmp, f)) as text:
                for path in text.read().split("\n"):
                    if path.startswith("/"):
                        digest = run("md5sum", ROOT + path).decode().split()[0].lstrip("\\")
                        conffiles += " %s %s\n" % (path, digest)
        if f == "triggers":
            with open(os.path.join(tmp, f)) as text:
                triggers(name, text.read())
        shutil.copy(os.path.join(tmp, f), os.path.join(INFO, "%s.%s" % (name, f)))
    with open(os.path.join(INFO, name + ".list"), "w") as f:
        f.write(file_list(deb))
    first, _, rest = control.partition("\n")
    if conffiles:
        rest += "\nConffiles:\n" + conffiles.rstrip("\n")
    return "%s\nStatus: install ok unpacked\n%s\n" % (first, rest)


def make_database():
    debs = sorted(glob.glob(os.path.join(ROOT, "var/cache/apt/archives/*.deb")))
    if not debs:
        raise LabError("mmdebstrap left no packages in %s" % ROOT)
    os.makedirs(INFO, exist_ok=True)
    write("var/lib/dpkg/info/format", "1\n")
    write("var/lib/dpkg/status", "\n".join(register(deb) for deb in debs))
    write("var/lib/dpkg/available", "")
    for deb in debs:
        os.unlink(deb)


# --- 2. the file system --------------------------------------------------------


def make_files(root):
    # base-passwd's, and mawk's own work; others need it before their turn.
    for name in ("passwd", "group"):
        shutil.copy(os.path.join(root, "usr/share/base-passwd", name + ".master"), os.path.join(root, "etc", name))
    os.symlink("mawk", os.path.join(root, "usr/bin/awk"))
    write("etc/hostname", "umbra-guest\n")
    write("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 umbra-guest\n")
    write("etc/fstab", FSTAB)
    write("etc/systemd/system.conf.d/lab.conf", SYSTEM_CONF)
    write("boot/extlinux/extlinux.conf", EXTLINUX)
    shutil.copy(kernel(SUITE)["VMLINUZ"], os.path.join(root, "boot/vmlinuz"))
    with open(os.path.join(root, "boot/initrd.img"), "wb") as f:
        f.write(lablib.disk_initramfs(SUITE))


def make_ext4(path):
    with open(path, "wb") as f:
        f.truncate(ROOT_MB * MB)
    run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", ROOT, path)


# --- 3. what only riscv64 can do -------------------------------------------------


def configure(path):
    log = os.path.join(CACHE, "logs", "disk")
    b = Board(SUITE)
    b.timeout = 1800
    b.log = log + ".console"
    b.disk(path, snapshot=False)
    b.debian_module("crc32c", "ext4")
    b.port("out", path=log + ".out")
    b.port("err", path=log + ".err")
    b.run(CONFIGURE)
    if b.problem or b.status:
        raise LabError("configuring the packages failed: %s; logs: %s.*" % (b.problem or "status %d" % b.status, log))
    run("e2fsck", "-fn", path)


# --- 4. the disk -------------------------------------------------------------------


def make_esp(path):
    grub = "/usr/lib/grub/riscv64-efi/monolithic/grubriscv64.efi"
    if not os.path.exists(grub):
        raise LabError("grub-efi-riscv64-unsigned holds no %s" % grub)
    with open(path, "wb") as f:
        f.truncate(ESP_MB * MB)
    run("mkfs.vfat", "-n", "ESP", path)
    config = os.path.join(DISK, "grub.cfg")
    with open(config, "w") as f:
        f.write(GRUB)
    # The image looks for its configuration in /EFI/debian.
    run("mmd", "-i", path, "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
    run("mcopy", "-i", path, grub, "::/EFI/BOOT/BOOTRISCV64.EFI")
    run("mcopy", "-i", path, config, "::/EFI/debian/grub.cfg")


def make_disk(esp, root, path):
    with open(path, "wb") as f:
        f.truncate((ESP_MB + ROOT_MB + 2) * MB)
    table = (
        "label: gpt\nstart=1MiB, size=%dMiB, type=linux, name=root, attrs=LegacyBIOSBootable\n"
        "size=%dMiB, type=uefi, name=esp\n"
    )
    run("sfdisk", "--quiet", path, input=(table % (ROOT_MB, ESP_MB)).encode())
    for part, at in ((root, 1), (esp, 1 + ROOT_MB)):
        run("dd", "if=" + part, "of=" + path, "bs=1M", "seek=%d" % at, "conv=notrunc,sparse")


def main():
    root, esp, disk = (os.path.join(DISK, n) for n in ("root.ext4", "esp.vfat", "debian.img.new"))
    make_database()
    make_files(ROOT)
    make_ext4(root)
    say("configuring Debian's packages on an emulated board (minutes)")
    configure(root)
    make_esp(esp)
    make_disk(esp, root, disk)
    os.rename(disk, os.path.join(DISK, "debian.img"))
    for path in (root, esp):
        os.unlink(path)


if __name__ == "__main__":
    lablib.run_main(main, failed=1)
