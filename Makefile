# Umbra's top-level Makefile: what people type. `make help` lists the targets.
#
# The module itself is described in ./Kbuild, the launcher in user/Makefile;
# everything that needs the lab (an emulated board, see selftests/lab) is a
# script there, called from here.

MAKEFLAGS += --no-print-directory
LAB := selftests/lab

# What `make demo EXEC='echo $HOME'` was given, to the letter.
ifdef EXEC
override EXEC := $(value EXEC)
endif
LAB_VARS := EXEC HOST GUEST CPU SMP MEMORY APPEND HOST_SMP HOST_MEMORY MODARGS RUNARGS TIMEOUT JOBS V BIOS CLIENT
$(foreach v,$(LAB_VARS),$(if $(value $(v)),$(eval export $(v))))

# --- the module and the launcher, for this machine or cross

CROSS_COMPILE ?=
PREFIX ?= /usr/local
DESTDIR ?=
MACHINE := $(shell uname -m)
KDIR ?= $(if $(filter riscv64,$(MACHINE)),/lib/modules/$(shell uname -r)/build)
CC := $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC))

# Debian's kernels ask for BTF in modules, which needs pahole; do without.
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR) ARCH=riscv CROSS_COMPILE=$(CROSS_COMPILE) \
	$(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

ifneq ($(KDIR),)
all: module launcher
else
all: ; $(info This is no RISC-V machine and KDIR is not set: building for the lab's kernels.)
all: lab-build
endif

module:
	$(if $(KDIR),,$(error KDIR is not set: say which kernel to build for, as in make ARCH=riscv CROSS_COMPILE=riscv64-linux-gnu- KDIR=/usr/src/linux-headers-VERSION; or use make lab-build))
	$(KBUILD) modules

launcher:
	$(MAKE) -C user CC=$(CC) CROSS_COMPILE=$(CROSS_COMPILE)

install: module launcher
	@# Debian's headers hold no key to sign with.
	$(KBUILD) $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=) \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	@# Debian's headers have no System.map, so kbuild does not do this.
	depmod -a $(if $(DESTDIR),-b $(DESTDIR)) $$($(MAKE) -s -C $(KDIR) ARCH=riscv kernelrelease)
	$(MAKE) -C user install CC=$(CC) CROSS_COMPILE=$(CROSS_COMPILE) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	install -D -m 644 uapi/umbra.h $(DESTDIR)$(PREFIX)/include/umbra.h

clean:
	rm -rf build/trixie build/trixie.* build/forky build/forky.* build/selftests build/log
	-@[ -z "$(KDIR)" ] || $(KBUILD) clean
	-@[ ! -e user/Makefile ] || $(MAKE) -s -C user clean
	-@[ ! -e selftests/unit/Makefile ] || $(MAKE) -s -C selftests/unit clean

# --- the lab

lab-setup:
	@$(LAB)/setup

lab-build:
	@$(LAB)/build $(HOST)

demo:
	@$(LAB)/demo

check:
	@$(LAB)/run-suites

check-long:
	@$(LAB)/run-suites --long

check-unit:
	@$(LAB)/run-suites --unit

bench:
	@$(LAB)/bench $(if $(BENCH),$(or $(bench-$(BENCH)),$(error BENCH is all, board or nothing)))

bench-board := --board
bench-all := --all

# Each half may be run alone; both always run, so that one does not hide the other.
lint:
	@s=0; $(MAKE) checkpatch || s=1; $(MAKE) sparse || s=1; exit $$s

checkpatch:
	@$(LAB)/lint

sparse:
	@$(LAB)/build --sparse

help:
	@echo 'On a RISC-V machine (or with ARCH=riscv CROSS_COMPILE=... KDIR=...):'
	@echo '  make              build umbra.ko and user/umbra'
	@echo '  make install      install both (PREFIX=/usr/local, DESTDIR=)'
	@echo '  make clean        remove what was built (the lab itself stays)'
	@echo
	@echo 'On an x86-64 Debian 12 or later, as root (all from Debian packages, kept in'
	@echo '$${UMBRA_CACHE:-~/.cache/umbra}, some 4 GB):'
	@echo '  make demo         an emulated board without H, umbra.ko, a guest: its console'
	@echo "  make demo EXEC='uname -a'    only this command's output, its success or failure"
	@echo '  make check        all tests but the long ones; make check-long: all of them'
	@echo '  make check-unit   the native unit tests alone'
	@echo '  make lint         checkpatch --strict, sparse, W=1'
	@echo '  make bench        a table of measurements: natively and under Umbra, in instructions'
	@echo '                    (BENCH=board: on a board-like CPU, BENCH=all: and KVM, QEMU)'
	@echo '  make lab-setup    only fetch what the lab needs'
	@echo '  make lab-build    only build for the lab (HOST=trixie|forky: for one)'
	@echo
	@echo 'Variables of demo: HOST=trixie|forky GUEST=trixie|forky CPU=rv64,h=false,sv57=off'
	@echo '  SMP=1 MEMORY=512M APPEND= (of the guest)  HOST_SMP=2 HOST_MEMORY=2G (of the board)'
	@echo '  MODARGS= (of umbra.ko)  RUNARGS= (of umbra run)  TIMEOUT=seconds  V=1'
	@echo '  DISK=debian (a Debian system with systemd, on a virtio disk)'
	@echo '  BIOS=none|opensbi|uboot|edk2: what starts the guest in M-mode; none: Umbra does, in S-mode'
	@echo '  CLIENT=umbra|qemu: who drives the module; RUNARGS are its options'

.PHONY: all module launcher install clean lab-setup lab-build demo check check-long \
	check-unit bench lint checkpatch sparse help
