#ifndef LK_WIRE_TEST_PEER_H
#define LK_WIRE_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The far end of a link as a plain blocking socket, so that a test decides about every byte. A step that does not
 * succeed within BOUND_MS fails the test. */

/* Listens on a free loopback port; url gets its address. */
#define PEER_URL_BYTES 64
int peer_listen(int backlog, char url[static PEER_URL_BYTES]);
int peer_accept(int listener);

/* tcp://127.0.0.1:PORT or ipc:///PATH */
int peer_connect(const char *url);

/* False when the connection is not there at once; *ret_fd goes on trying. tcp only. */
bool peer_try_connect(const char *url, int *ret_fd);

/* With a receive buffer of a few KiB, so that an unread stream fills up soon. */
int peer_connect_small(const char *url);

void peer_close(int fd);

void peer_send(int fd, const void *data, size_t len);
/* False when the far end has gone. */
bool peer_try_send(int fd, const void *data, size_t len);
void peer_receive(int fd, void *data, size_t len);
/* What one recv brings. */
size_t peer_receive_some(int fd, void *data, size_t size);
/* Waits for the end of the stream; what comes before is dropped. */
bool peer_is_closed(int fd, uint32_t bound_ms);

/* This process's connected TCP sockets, and those of them that hold back what they send (Nagle's algorithm). */
struct peer_sockets {
	unsigned connected;
	unsigned holding_back;
};
struct peer_sockets peer_count_sockets(void);

#endif
