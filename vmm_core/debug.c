// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_GUEST_DEBUG: a debugger in user space watches the guest.
 *
 * With software breakpoints every ebreak of the guest's memory ends KVM_RUN;
 * those that Umbra's rewriting put there do not count.
 */
#include <linux/uaccess.h>

#include "vmm.h"

int umbra_set_guest_debug(struct umbra_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	vcpu->guest_debug = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control : 0;
	return 0;
}

/* The guest's own ebreak is at pc.  True: user space is told, pc stays. */
bool umbra_debug_ebreak(struct umbra_vcpu *vcpu)
{
	if (!vcpu->guest_debug)
		return false;
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	return true;
}
