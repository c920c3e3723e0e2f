#ifndef LK_RPC_ADDRESS_H
#define LK_RPC_ADDRESS_H

enum address_scope {
	ADDRESS_BAD,	/* no listener URL at all */
	ADDRESS_LOCAL,	/* an ipc socket, or a loopback address: only this machine's processes reach it */
	ADDRESS_REMOTE, /* anything else, and whatever is not surely loopback */
};

enum address_scope address_scope_of(const char *url);

#endif
