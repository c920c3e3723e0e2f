#include "support/raw.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/wait.h"

#define GREETING_BYTES 8
/* Larger than any reply frame that the service sends (2 MiB). */
#define REPLY_BYTES_MAX (4 << 20)

static const uint8_t greeting_req[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t greeting_rep[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

static bool connect_tcp(struct raw *r, const char *host_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *port = strrchr(host_port, ':');
	int on = 1;

	if (port == NULL)
		return false;
	address.sin_port = htons((uint16_t)atoi(port + 1));
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return false;
	setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return connect(r->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool connect_ipc(struct raw *r, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	r->is_ipc = true;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return r->fd >= 0 && connect(r->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

bool raw_connect_silent(struct raw *r, const char *url)
{
	bool connected = false;

	*r = (struct raw){.fd = -1};
	if (strncmp(url, "tcp://", 6) == 0)
		connected = connect_tcp(r, url + 6);
	else if (strncmp(url, "ipc://", 6) == 0)
		connected = connect_ipc(r, url + 6);
	if (!connected)
		raw_close(r);
	return connected;
}

/* Exactly len bytes, by until_ms of the monotonic clock. */
static bool read_exactly(const struct raw *r, void *out, size_t len, uint64_t until_ms)
{
	struct pollfd readable = {.fd = r->fd, .events = POLLIN};
	uint8_t *at = out;

	while (len > 0) {
		uint64_t now = now_mono_ms();
		ssize_t got;

		if (now >= until_ms || poll(&readable, 1, (int)(until_ms - now)) <= 0) {
			errno = ETIMEDOUT;
			return false;
		}
		got = recv(r->fd, at, len, 0);
		if (got <= 0) {
			errno = ECONNRESET;
			return false;
		}
		at += got;
		len -= (size_t)got;
	}
	return true;
}

bool raw_greet(struct raw *r)
{
	uint8_t theirs[GREETING_BYTES];

	return raw_send_bytes(r, greeting_req, sizeof(greeting_req)) &&
	       read_exactly(r, theirs, sizeof(theirs), now_mono_ms() + BOUND_MS) &&
	       memcmp(theirs, greeting_rep, sizeof(theirs)) == 0;
}

bool raw_try_connect(struct raw *r, const char *url)
{
	if (!raw_connect_silent(r, url))
		return false;
	if (raw_greet(r))
		return true;
	raw_close(r);
	return false;
}

void raw_connect(struct raw *r, const char *url)
{
	if (!raw_try_connect(r, url))
		fail_msg("cannot connect to %s: %s", url, strerror(errno));
}

void raw_close(struct raw *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

void raw_set_send_bound(struct raw *r, uint32_t bound_ms)
{
	const struct timeval bound = {.tv_sec = bound_ms / 1000, .tv_usec = (suseconds_t)(bound_ms % 1000) * 1000};

	setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
}

bool raw_send_bytes(struct raw *r, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t sent = send(r->fd, at, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		at += sent;
		len -= (size_t)sent;
	}
	return true;
}

static size_t put_head(const struct raw *r, uint8_t head[static 13], uint32_t id, uint64_t body_len)
{
	uint64_t length = htobe64(body_len + 4);
	uint32_t word = htobe32(id | RAW_ID_BIT);
	size_t at = 0;

	if (r->is_ipc)
		head[at++] = 1;
	memcpy(head + at, &length, 8);
	memcpy(head + at + 8, &word, 4);
	return at + 12;
}

bool raw_announce(struct raw *r, uint32_t id, uint64_t announced)
{
	uint8_t head[13];
	size_t len = put_head(r, head, id, announced);

	return raw_send_bytes(r, head, len);
}

bool raw_send_body(struct raw *r, uint32_t id, const void *body, size_t len)
{
	uint8_t *message = malloc(13 + len);
	size_t head_len;
	bool sent;

	if (message == NULL)
		abort();
	head_len = put_head(r, message, id, len);
	if (len > 0)
		memcpy(message + head_len, body, len);
	sent = raw_send_bytes(r, message, head_len + len);
	free(message);
	return sent;
}

ProtobufCBinaryData raw_text(const char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static void fill_call(Latchkey__V1__Call *out, const struct raw_call *call)
{
	latchkey__v1__call__init(out);
	out->has_method = true;
	out->method = raw_text(call->method);
	out->has_body = true;
	out->body = call->body;
	if (call->request != NULL) {
		size_t len = protobuf_c_message_get_packed_size(call->request);

		out->body = (ProtobufCBinaryData){.len = len, .data = malloc(len + 1)};
		protobuf_c_message_pack(call->request, out->body.data);
	}
	out->has_timeout_ms = call->timeout_ms != 0;
	out->timeout_ms = call->timeout_ms;
	if (call->idempotency_key != NULL) {
		out->has_idempotency_key = true;
		out->idempotency_key = raw_text(call->idempotency_key);
	}
}

static uint8_t *pack_calls(uint32_t protocol, const char *credential, const struct raw_call *calls, size_t count,
			   size_t *ret_len)
{
	Latchkey__V1__RequestFrame frame = LATCHKEY__V1__REQUEST_FRAME__INIT;
	Latchkey__V1__Call *all = calloc(count + 1, sizeof(*all));
	uint8_t *packed;

	frame.has_protocol = true;
	frame.protocol = protocol;
	if (credential != NULL) {
		frame.has_credential = true;
		frame.credential = raw_text(credential);
	}
	frame.calls = calloc(count + 1, sizeof(*frame.calls));
	if (all == NULL || frame.calls == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		fill_call(&all[i], &calls[i]);
		frame.calls[frame.n_calls++] = &all[i];
	}
	packed = malloc(latchkey__v1__request_frame__get_packed_size(&frame) + 1);
	if (packed == NULL)
		abort();
	*ret_len = latchkey__v1__request_frame__pack(&frame, packed);
	for (size_t i = 0; i < count; i++) {
		if (calls[i].request != NULL)
			free(all[i].body.data);
	}
	free(frame.calls);
	free(all);
	return packed;
}

uint8_t *raw_pack_calls(uint32_t protocol, const struct raw_call *calls, size_t count, size_t *ret_len)
{
	return pack_calls(protocol, NULL, calls, count, ret_len);
}

bool raw_send_calls(struct raw *r, uint32_t id, const struct raw_call *calls, size_t count)
{
	size_t len;
	uint8_t *packed = pack_calls(1, r->credential, calls, count, &len);
	bool sent = raw_send_body(r, id, packed, len);

	free(packed);
	return sent;
}

/* Length and request id of the next message. */
static bool receive_head(struct raw *r, uint32_t *ret_id, size_t *ret_len, uint64_t until_ms)
{
	uint64_t length;
	uint32_t word;
	uint8_t type;

	if (r->is_ipc && (!read_exactly(r, &type, 1, until_ms) || type != 1))
		return false;
	if (!read_exactly(r, &length, 8, until_ms) || !read_exactly(r, &word, 4, until_ms))
		return false;
	length = be64toh(length);
	if (length < 4 || length > REPLY_BYTES_MAX || (be32toh(word) & RAW_ID_BIT) == 0)
		fail_msg("a reply of %llu bytes for %08x", (unsigned long long)length, be32toh(word));
	*ret_len = length - 4;
	*ret_id = be32toh(word) & ~RAW_ID_BIT;
	return true;
}

bool raw_receive(struct raw *r, uint32_t *ret_id, Latchkey__V1__ReplyFrame **ret_frame, uint32_t bound_ms)
{
	uint64_t until_ms = now_mono_ms() + bound_ms;
	Latchkey__V1__ReplyFrame *frame;
	uint8_t *body;
	uint32_t id;
	size_t len;

	if (!receive_head(r, &id, &len, until_ms))
		return false;
	body = malloc(len + 1);
	if (body == NULL)
		abort();
	if (!read_exactly(r, body, len, until_ms)) {
		free(body);
		return false;
	}
	frame = latchkey__v1__reply_frame__unpack(NULL, len, body);
	free(body);
	if (frame == NULL)
		fail_msg("a reply of %zu bytes is no ReplyFrame", len);
	if (ret_id != NULL)
		*ret_id = id;
	*ret_frame = frame;
	return true;
}

bool raw_is_closed(struct raw *r, uint32_t bound_ms)
{
	uint64_t until_ms = now_mono_ms() + bound_ms;
	uint8_t byte;

	while (read_exactly(r, &byte, 1, until_ms))
		continue;
	return errno == ECONNRESET;
}

Latchkey__V1__ReplyFrame *raw_exchange(struct raw *r, const struct raw_call *calls, size_t count)
{
	Latchkey__V1__ReplyFrame *frame = NULL;
	uint32_t id = 0;

	if (!raw_send_calls(r, 7, calls, count) || !raw_receive(r, &id, &frame, BOUND_MS))
		fail_msg("%s: no reply: %s", calls[0].method, strerror(errno));
	assert_int_equal(id, 7);
	return frame;
}

ProtobufCMessage *raw_unpack(const Latchkey__V1__Reply *reply, const ProtobufCMessageDescriptor *type)
{
	return protobuf_c_message_unpack(type, NULL, reply->body.len, reply->body.data);
}

void raw_free(void *message)
{
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}

ProtobufCMessage *raw_call_expect(struct raw *r, Latchkey__V1__Code code, const struct raw_call *call,
				  const ProtobufCMessageDescriptor *type)
{
	Latchkey__V1__ReplyFrame *frame = raw_exchange(r, call, 1);
	ProtobufCMessage *response = NULL;
	Latchkey__V1__Reply *reply;

	if (frame->code != LATCHKEY__V1__CODE__OK || frame->n_replies != 1)
		fail_msg("%s: frame refused with code %d: %.*s", call->method, frame->code, (int)frame->message.len,
			 (const char *)frame->message.data);
	reply = frame->replies[0];
	if (reply->code != code)
		fail_msg("%s: code %d, not %d: %.*s", call->method, reply->code, code, (int)reply->message.len,
			 (const char *)reply->message.data);
	if (type != NULL)
		response = raw_unpack(reply, type);
	raw_free(frame);
	return response;
}
