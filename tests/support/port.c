/* The kernel gives ports of ip_local_port_range (32768 and up) to connections going out: a port from there may be taken
 * while its server is down for a moment. So ports come from below that range, in blocks; a process owns a block by a
 * socket of the block's name in the abstract namespace, which ends with the process. Locked: tests call from threads. */

#include "support/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/wait.h"

/* Above what Debian's servers listen on; 32768 is where the kernel's range begins. */
#define PORT_FIRST  10240
#define PORT_END    32768
#define BLOCK_PORTS 256 /* more than a test has servers, so that a port rests before it is given again */
#define BLOCKS	    ((PORT_END - PORT_FIRST) / BLOCK_PORTS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int block = -1;
static unsigned given; /* from the block so far */

static bool own(int candidate)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "latchkey-test-ports-%d", candidate);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail_msg("no socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&name, size) == 0)
		return true;
	close(fd);
	return false;
}

static int own_any(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		int candidate = (getpid() + i) % BLOCKS;

		if (own(candidate))
			return candidate;
	}
	return -1;
}

static bool is_free(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_bound;

	address.sin_port = htons(port);
	is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return is_bound;
}

static uint16_t next(void)
{
	if (block < 0)
		block = own_any();
	for (int i = 0; block >= 0 && i < BLOCK_PORTS; i++) {
		uint16_t port = (uint16_t)(PORT_FIRST + block * BLOCK_PORTS + (int)(given++ % BLOCK_PORTS));

		if (is_free(port))
			return port;
	}
	return 0;
}

uint16_t port_free(void)
{
	uint16_t port;

	pthread_mutex_lock(&lock);
	port = next();
	pthread_mutex_unlock(&lock);
	if (port == 0)
		fail_msg("no free port in %d..%d", PORT_FIRST, PORT_END - 1);
	return port;
}
