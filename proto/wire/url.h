#ifndef LK_WIRE_URL_H
#define LK_WIRE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/error.h"

enum wire_scheme { WIRE_TCP, WIRE_IPC, WIRE_TLS_TCP };

/* sockaddr_un.sun_path is 108 bytes, its terminator included. */
#define WIRE_IPC_PATH_MAX 107

/* A name of DNS is at most 253 characters; an IPv6 address with scope and brackets is shorter. */
#define WIRE_HOST_MAX 255

#define WIRE_URL_MAX 320

struct wire_url {
	enum wire_scheme scheme;
	char host[WIRE_HOST_MAX + 1];	  /* tcp, tls+tcp: without brackets */
	char path[WIRE_IPC_PATH_MAX + 1]; /* ipc */
	uint16_t port;
	size_t authority_len; /* of the text before ":port" */
};

/* WIRE_BAD_URL unless the text is one of the three forms, whole. Port 0 is for listeners only. */
enum wire_error wire_url_parse(const char *text, bool listens, struct wire_url *ret)
    __attribute__((warn_unused_result));

#endif
