#include "support/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/wait.h"

/* The largest page of a test is some hundred KiB. */
#define REPLY_BYTES_MAX (8U << 20)

int http_connect(const char *url)
{
	const struct sockaddr_in at = {.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool http_send(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		const ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void split(struct http_reply *r, size_t len)
{
	char *end = strstr(r->text, "\r\n\r\n");

	if (sscanf(r->text, "HTTP/1.%*d %d", &r->status) != 1)
		r->status = 0;
	r->body = end == NULL ? r->text + len : end + 4;
	r->body_len = len - (size_t)(r->body - r->text);
}

bool http_receive(int fd, uint32_t bound_ms, struct http_reply *ret)
{
	const uint64_t until_ms = now_mono_ms() + bound_ms;
	struct http_reply r = {.text = calloc(1, REPLY_BYTES_MAX + 1)};
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && now_mono_ms() < until_ms && len < REPLY_BYTES_MAX) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 10) == 0)
			continue;
		n = recv(fd, r.text + len, REPLY_BYTES_MAX - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (n > 0) {
		free(r.text);
		return false;
	}
	split(&r, len);
	*ret = r;
	return true;
}

void http_ask(const char *url, const char *method, const char *path, struct http_reply *ret)
{
	char request[256];
	const int len = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path);
	const int fd = http_connect(url);

	if (fd < 0 || !http_send(fd, request, (size_t)len) || !http_receive(fd, BOUND_MS, ret))
		fail_msg("%s %s of %s: no answer: %s", method, path, url, strerror(errno));
}

int http_status(const char *url, const char *path)
{
	struct http_reply r = {0};
	int status;

	http_ask(url, "GET", path, &r);
	status = r.status;
	http_reply_free(&r);
	return status;
}

void http_reply_free(struct http_reply *r)
{
	free(r->text);
	*r = (struct http_reply){0};
}

bool metrics_sum(const char *page, const char *name, const char *labels, double *ret)
{
	const size_t len = strlen(name);
	bool is_found = false;
	double sum = 0;

	for (const char *line = page; line != NULL && *line != 0; line = strchr(line, '\n')) {
		const char *value;
		const char *mark;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || (line[len] != '{' && line[len] != ' '))
			continue;
		value = line + len;
		if (*value == '{')
			value = strstr(value, "} ") + 1;
		mark = labels == NULL ? line : strstr(line, labels);
		if (mark == NULL || mark > value)
			continue;
		sum += strtod(value, NULL);
		is_found = true;
	}
	if (is_found)
		*ret = sum;
	return is_found;
}
