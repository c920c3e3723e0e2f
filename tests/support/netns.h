#ifndef LK_SUPPORT_NETNS_H
#define LK_SUPPORT_NETNS_H

#include <stdbool.h>
#include <stddef.h>

/* A network of hosts, each a network namespace, on a switch of its own that no other traffic sees: cables can be pulled.
 * A child is put on a host by process_spec.netns_fd, a redis-server by redis_server_options.host. The test itself stays
 * where it is and reaches programs there by unix sockets, which know no namespaces.
 *
 * The namespaces have no names: they live by descriptors, and end with the last process that is in them or holds one.
 * So nothing is left behind however a test ends. Needs root, and `ip` (iproute2). Not thread-safe; a test's main thread. */

#define NETNS_HOSTS_MAX 32

struct netns_host {
	int fd;		  /* of the namespace */
	int switch_fd;	  /* of the namespace with the switch */
	unsigned index;	  /* its socket in the switch */
	char address[32]; /* IPv4 */
};

struct netns {
	int switch_fd;
	size_t count;
	struct netns_host hosts[NETNS_HOSTS_MAX];
};

/* False without the rights, the kernel's support or `ip`: the test says that it is skipped. */
bool netns_is_possible(void);

/* Hosts 10.77.0.1, 10.77.0.2, ...; all reach each other. */
void netns_open(struct netns *n, size_t hosts);

/* What still runs on the hosts keeps them. Accepts a zeroed one. */
void netns_close(struct netns *n);

/* Pulls the cable: nothing comes nor goes, silently, and connections stay as they are. */
void netns_cut(const struct netns_host *host);

/* Plugs it into another switch: reaches only the hosts that were parted too. */
void netns_part(const struct netns_host *host);

/* Undoes both. */
void netns_heal(const struct netns_host *host);

#endif
