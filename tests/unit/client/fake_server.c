#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WAIT_S 10

static void note(struct fake_server *server, const Latchkey__V1__Call *call, unsigned nth)
{
	size_t at = nth - 1;

	if (at >= FAKE_CALLS_KEPT)
		return;
	server->seen[at].key_bytes = call->idempotency_key.len < 64 ? call->idempotency_key.len : 64;
	if (server->seen[at].key_bytes > 0)
		memcpy(server->seen[at].key, call->idempotency_key.data, server->seen[at].key_bytes);
	server->seen[at].timeout_ms = call->timeout_ms;
}

static void on_message(void *owner, wire_channel *channel, const struct wire_route *route, const uint8_t *body,
		       size_t len)
{
	struct fake_server *server = owner;
	Latchkey__V1__RequestFrame *frame = latchkey__v1__request_frame__unpack(NULL, len, body);
	struct fake_call call = {.server = server, .channel = channel, .route = route, .frame = frame};

	if (frame == NULL || frame->n_calls != 1)
		abort();
	call.call = frame->calls[0];
	pthread_mutex_lock(&server->lock);
	call.nth = ++server->calls;
	note(server, call.call, call.nth);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	server->script(&call);
	latchkey__v1__request_frame__free_unpacked(frame, NULL);
}

static void on_closed(void *owner, wire_channel *channel, enum wire_error reason)
{
	struct fake_server *server = owner;

	(void)reason;
	wire_channel_release(&channel);
	pthread_mutex_lock(&server->lock);
	server->channels--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static const struct wire_channel_events *on_accepted(void *owner, wire_channel *channel, void **ret_owner)
{
	static const struct wire_channel_events events = {.message = on_message, .closed = on_closed};
	struct fake_server *server = owner;

	(void)channel;
	pthread_mutex_lock(&server->lock);
	server->channels++;
	server->accepted++;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	*ret_owner = server;
	return &events;
}

void fake_start(struct fake_server *server, const char *url, fake_script script, void *arg)
{
	static const struct wire_channel_listener_events events = {.accepted = on_accepted};
	const struct wire_listener_options options = {
	    .url = url,
	    .limits = {.connect_timeout_ms = 5000,
		       .idle_timeout_ms = 60000,
		       .stall_timeout_ms = 10000,
		       .input_bytes_max = 131072,
		       .output_bytes_max = 4194304},
	    .ipc_mode = 0600,
	};

	*server = (struct fake_server){.script = script, .arg = arg};
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	assert_int_equal(wire_channel_listen(&options, 65536, &events, server, &server->listener), WIRE_OK);
}

void fake_stop_listening(struct fake_server *server)
{
	wire_channel_listener_close(&server->listener);
}

const char *fake_url(const struct fake_server *server)
{
	return wire_channel_listener_url(server->listener);
}

void fake_release_held(struct fake_server *server)
{
	pthread_mutex_lock(&server->lock);
	while (server->held_count > 0)
		wire_channel_release(&server->held[--server->held_count].channel);
	pthread_mutex_unlock(&server->lock);
}

void fake_stop(struct fake_server *server)
{
	fake_stop_listening(server);
	fake_wait_channels(server, 0);
	fake_release_held(server);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	(void)wire_drain(5000);
}

void fake_reply_raw(wire_channel *channel, const struct wire_route *route, const void *bytes, size_t len)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};

	wire_channel_send(channel, route, &part, 1);
}

void fake_reply(wire_channel *channel, const struct wire_route *route, Latchkey__V1__Code code, const char *message,
		const ProtobufCMessage *body, uint32_t retry_after_ms)
{
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	Latchkey__V1__Reply reply = LATCHKEY__V1__REPLY__INIT;
	Latchkey__V1__Reply *replies[] = {&reply};
	uint8_t packed_body[16384];
	uint8_t packed[20000];

	frame.has_protocol = true;
	frame.protocol = 1;
	frame.n_replies = 1;
	frame.replies = replies;
	reply.has_code = true;
	reply.code = code;
	if (message != NULL) {
		reply.has_message = true;
		reply.message = (ProtobufCBinaryData){strlen(message), (uint8_t *)(uintptr_t)message};
	}
	if (body != NULL) {
		reply.has_body = true;
		reply.body = (ProtobufCBinaryData){protobuf_c_message_pack(body, packed_body), packed_body};
	}
	reply.has_retry_after_ms = retry_after_ms > 0;
	reply.retry_after_ms = retry_after_ms;
	fake_reply_raw(channel, route, packed, latchkey__v1__reply_frame__pack(&frame, packed));
}

void fake_hold(const struct fake_call *call)
{
	struct fake_server *server = call->server;

	pthread_mutex_lock(&server->lock);
	if (server->held_count == FAKE_CALLS_KEPT)
		abort();
	wire_channel_retain(call->channel);
	server->held[server->held_count++] = (struct fake_held){call->channel, *call->route};
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

void fake_answer_held(struct fake_server *server, unsigned index, Latchkey__V1__Code code, const ProtobufCMessage *body)
{
	struct fake_held held;

	pthread_mutex_lock(&server->lock);
	assert_true(index < server->held_count);
	held = server->held[index];
	pthread_mutex_unlock(&server->lock);
	fake_reply(held.channel, &held.route, code, NULL, body, 0);
}

Latchkey__V1__HealthCheckResponse fake_health(void)
{
	Latchkey__V1__HealthCheckResponse response = LATCHKEY__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.has_status = true;
	response.status = LATCHKEY__V1__SERVING_STATUS__SERVING;
	return response;
}

void fake_serving(const struct fake_call *call)
{
	Latchkey__V1__HealthCheckResponse response = fake_health();

	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &response.base, 0);
}

/* A valid session whose user is the token that was asked about: so a test sees whose answer it got. */
void fake_valid(const struct fake_call *call)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	Latchkey__V1__GetSessionRequest *request =
	    latchkey__v1__get_session_request__unpack(NULL, call->call->body.len, call->call->body.data);

	if (request == NULL)
		abort();
	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.info = &info;
	info.has_user = true;
	info.user = request->token;
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &response.base, 0);
	latchkey__v1__get_session_request__free_unpacked(request, NULL);
}

static void wait_until(struct fake_server *server, const unsigned *value, bool at_least, unsigned wanted)
{
	struct timespec until;
	int waited = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&server->lock);
	while (waited == 0 && (at_least ? *value < wanted : *value != wanted))
		waited = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
	assert_int_equal(waited, 0);
}

void fake_wait_calls(struct fake_server *server, unsigned count)
{
	wait_until(server, &server->calls, true, count);
}

void fake_wait_channels(struct fake_server *server, unsigned count)
{
	wait_until(server, &server->channels, false, count);
}

unsigned fake_call_count(struct fake_server *server)
{
	unsigned count;

	pthread_mutex_lock(&server->lock);
	count = server->calls;
	pthread_mutex_unlock(&server->lock);
	return count;
}
