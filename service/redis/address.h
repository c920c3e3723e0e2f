#ifndef LK_REDIS_ADDRESS_H
#define LK_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Where a Redis server or a Sentinel listens. */

/* The longest DNS name is 253 characters. */
#define ADDRESS_HOST_BYTES_MAX 255
/* "[host]:65535" and "tls+tcp://" in front of it. */
#define ADDRESS_TEXT_BYTES (ADDRESS_HOST_BYTES_MAX + 9)
#define ADDRESS_URL_BYTES  (ADDRESS_TEXT_BYTES + 10)

struct address {
	char host[ADDRESS_HOST_BYTES_MAX + 1]; /* name or address; IPv6 without brackets */
	uint16_t port;
};

/* False: no host (empty, too long, characters that no host has), or no port of 1..65535. */
bool address_make(span host, int64_t port, struct address *ret) __attribute__((warn_unused_result));

bool address_eq(const struct address *a, const struct address *b);

/* "host:port", IPv6 in brackets. */
void address_print(const struct address *a, char ret[static ADDRESS_TEXT_BYTES]);

/* What wire_dial takes: tcp:// or tls+tcp://. */
void address_url(const struct address *a, bool is_tls, char ret[static ADDRESS_URL_BYTES]);

/* Of what wire_dial takes: host:port, or a socket's path. */
const char *address_in_url(const char *url);

#endif
