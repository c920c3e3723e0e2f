#ifndef LK_SUPPORT_HTTP_H
#define LK_SUPPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An HTTP client of a few lines, for the admin listener: a request, and all that comes until the connection ends. */

struct http_reply {
	int status; /* 0: nothing that looks like a reply came */
	char *text; /* head and body; never NULL */
	char *body; /* in text */
	size_t body_len;
};

/* Connects to http://127.0.0.1:PORT; -1 when that fails. */
int http_connect(const char *url);

/* Sends the bytes as they are; false: the connection ended. */
bool http_send(int fd, const void *bytes, size_t len);

/* Reads to the end, closes fd. False: the end did not come within bound_ms; nothing is in *ret then. */
bool http_receive(int fd, uint32_t bound_ms, struct http_reply *ret);

/* "GET", "/metrics"; fails the test when nothing comes. */
void http_ask(const char *url, const char *method, const char *path, struct http_reply *ret);

/* The status of a GET; 0: nobody answers. */
int http_status(const char *url, const char *path);

void http_reply_free(struct http_reply *r);

/* The sum over all series of the metric in a page of /metrics, of those that have the text in their labels (NULL: all);
 * false: there is none. */
bool metrics_sum(const char *page, const char *name, const char *labels, double *ret);

#endif
