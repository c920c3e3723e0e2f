/* The way of a call through a client, and the one place that retries.
 *
 *	flow_submit -> QUEUED -> dispatch -> SENT -> flow_reply -> NOTIFYING -> call_notify
 *	                 ^                    |  |
 *	                 |   connection lost  |  | UNAVAILABLE, and time, attempts and budget are left
 *	                 +--------------------+  v
 *	                 +-------- tick ------ BACKOFF
 *
 * From QUEUED, SENT and BACKOFF a tick takes calls whose time is over, or that were canceled, to NOTIFYING.
 *
 * Locks. Every entry takes the client's lock, changes states, and notes in a `struct work` what has to happen outside
 * it: frames to send, calls to notify, connections to end. leave() lets go of the lock and does that. So nothing of
 * wire, and no callback, is ever called under the lock, and frames started within one wire event leave corked.
 *
 * Retries. Only what did not reach a store is repeated: a reply UNAVAILABLE (after its retry-after and a full jitter,
 * as far as the budget goes), a lost connection, and a frame that was refused as a whole, which is what a server does
 * that shuts down. The latter two go without the budget: there are at most in_flight_max such calls, a lost connection
 * is dialed again only after a pause, a server that refuses gets no more, and it is what lets servers be replaced
 * without a failed call. Mutating calls keep their idempotency key, so that repeating is safe. Everything ends
 * at the deadline.
 *
 * Long polls (Watch) wait at a server without being work for it, so they do not count when the least busy one is picked.
 * All of a client stay with one server for as long as it takes calls, since a cursor means something only there. They
 * neither earn nor spend retries: who polls asks again anyway. */

#include "flow.h"

#include <assert.h>

#include "error.h"

/* Frames of one turn outside the lock. */
#define PARCELS_MAX 32

struct parcel {
	wire_channel *channel; /* a reference */
	struct frame *frame;   /* a reference */
	uint32_t id;
};

struct closing {
	wire_channel *channel; /* a reference */
	enum wire_error reason;
};

struct work {
	size_t parcel_count;
	struct parcel parcels[PARCELS_MAX];
	lk_call *ended_first;
	lk_call *ended_last;
	size_t closing_count;
	struct closing closing[ENDPOINTS_MAX]; /* an endpoint is given up once */
};

/* ---- The queue of calls that wait for a connection ---- */

static void enqueue(lk_client *client, lk_call *call)
{
	call_move(call, CALL_QUEUED);
	call->queue_next = NULL;
	call->queue_prev = client->queue_last;
	if (client->queue_last != NULL)
		client->queue_last->queue_next = call;
	else
		client->queue_first = call;
	client->queue_last = call;
}

static void dequeue(lk_client *client, lk_call *call)
{
	if (call->queue_prev != NULL)
		call->queue_prev->queue_next = call->queue_next;
	else
		client->queue_first = call->queue_next;
	if (call->queue_next != NULL)
		call->queue_next->queue_prev = call->queue_prev;
	else
		client->queue_last = call->queue_prev;
	call->queue_next = NULL;
	call->queue_prev = NULL;
}

static void set_due(lk_client *client, lk_call *call, uint64_t at_ms)
{
	uint64_t due_ms = call->canceled || client->closing ? 0 : at_ms;

	client->slots.rows[call->slot].due_ms = due_ms;
	if (due_ms < client->due_ms)
		client->due_ms = due_ms;
}

/* ---- Sending ---- */

/* A retry tells the server how much time is left now. Without memory for that, the old frame will do: the deadline is
 * kept here in any case. */
static void retime_frame(lk_call *call, uint64_t now_ms)
{
	struct lk_error ignored = LK_ERROR_INIT;
	struct frame *frame;

	if (call->deadline_ms <= now_ms)
		return;
	/* A long poll is to be answered in time even if it had to wait for a connection first. */
	if (call->attempts == 0 && !method_is_long_poll(call->method))
		return;
	if (call_frame(call, (uint32_t)(call->deadline_ms - now_ms), &frame, &ignored) != LK_OK)
		return;
	frame_release(&call->frame);
	call->frame = frame;
}

/* How much it adds to what an endpoint has in flight. */
static uint32_t load_of(const lk_call *call)
{
	return method_is_long_poll(call->method) ? 0 : 1;
}

/* It is answered, or will be by another. */
static void take_from_endpoint(const lk_call *call)
{
	call->endpoint->in_flight -= load_of(call);
	call->endpoint->unanswered--;
}

static struct endpoint *pick_for(lk_client *client, const lk_call *call)
{
	struct endpoint *picked;

	if (!method_is_long_poll(call->method))
		return endpoint_pick(client, call->endpoint);
	/* The successor of a connection leads to the same server, as far as one can tell. */
	if (client->watched != NULL && client->watched->is_going && endpoint_is_open(client->watched->twin) &&
	    !client->watched->twin->is_going)
		client->watched = client->watched->twin;
	if (client->watched != NULL && endpoint_is_open(client->watched))
		return client->watched;
	picked = endpoint_pick(client, call->endpoint);
	if (picked != NULL)
		client->watched = picked;
	return picked;
}

static void send_call(lk_client *client, struct endpoint *endpoint, lk_call *call, struct work *work)
{
	uint64_t now_ms = wire_now_ms();

	retime_frame(call, now_ms);
	dequeue(client, call);
	call_move(call, CALL_SENT);
	call->endpoint = endpoint;
	call->attempts++;
	call->sent_at_ms = now_ms;
	endpoint->in_flight += load_of(call);
	endpoint->unanswered++;
	wire_channel_retain(endpoint->channel);
	work->parcels[work->parcel_count++] = (struct parcel){
	    .channel = endpoint->channel,
	    .frame = frame_retain(call->frame),
	    .id = slots_renew(&client->slots, call->slot),
	};
}

/* Gives queued calls to ready endpoints. True: there is more than one turn holds. */
static bool dispatch(lk_client *client, struct work *work)
{
	while (client->queue_first != NULL) {
		struct endpoint *endpoint = pick_for(client, client->queue_first);

		if (endpoint == NULL)
			return false;
		if (work->parcel_count == PARCELS_MAX)
			return true;
		send_call(client, endpoint, client->queue_first, work);
	}
	return false;
}

static void send_parcel(struct parcel *parcel)
{
	struct wire_route route = wire_route_of_id(parcel->id);
	struct iovec body = {.iov_base = parcel->frame->bytes, .iov_len = parcel->frame->len};

	wire_channel_send(parcel->channel, &route, &body, 1);
	wire_channel_release(&parcel->channel);
	frame_release(&parcel->frame);
}

static void do_work(struct work *work)
{
	lk_call *call;

	if (work->parcel_count > 0) {
		wire_cork();
		for (size_t i = 0; i < work->parcel_count; i++)
			send_parcel(&work->parcels[i]);
		wire_uncork();
	}
	for (size_t i = 0; i < work->closing_count; i++) {
		wire_channel_close(work->closing[i].channel, work->closing[i].reason, false);
		wire_channel_release(&work->closing[i].channel);
	}
	while ((call = work->ended_first) != NULL) {
		work->ended_first = call->ended_next;
		call_notify(call);
	}
	work->parcel_count = 0;
	work->closing_count = 0;
	work->ended_last = NULL;
}

/* The end of every entry that changed something: gives up the lock. */
static void leave(lk_client *client, struct work *work)
{
	bool more = dispatch(client, work);

	pthread_mutex_unlock(&client->lock);
	do_work(work);
	while (more) {
		pthread_mutex_lock(&client->lock);
		more = dispatch(client, work);
		pthread_mutex_unlock(&client->lock);
		do_work(work);
	}
}

static void work_init(struct work *work)
{
	work->parcel_count = 0;
	work->closing_count = 0;
	work->ended_first = NULL;
	work->ended_last = NULL;
}

/* ---- Ending ---- */

/* The call leaves its slot, its queue and its endpoint: from here on one thread has it. */
static void claim(lk_client *client, lk_call *call)
{
	if (call->state == CALL_QUEUED)
		dequeue(client, call);
	if (call->state == CALL_SENT)
		take_from_endpoint(call);
	call_move(call, CALL_NOTIFYING);
	slots_release(&client->slots, call->slot);
	call->endpoint = NULL;
	call->error.attempts = call->attempts;
}

/* Its error is set already. */
static void end_call(lk_client *client, lk_call *call, struct work *work)
{
	claim(client, call);
	call->ended_next = NULL;
	if (work->ended_last != NULL)
		work->ended_last->ended_next = call;
	else
		work->ended_first = call;
	work->ended_last = call;
}

enum lk_err flow_submit(lk_call *call)
{
	lk_client *client = call->client;
	struct work work;

	work_init(&work);
	pthread_mutex_lock(&client->lock);
	if (client->closing) {
		pthread_mutex_unlock(&client->lock);
		return error_set(&call->error, LK_E_CANCELED, "the client is closing");
	}
	if (!slots_take(&client->slots, call, &call->slot)) {
		pthread_mutex_unlock(&client->lock);
		return error_set(&call->error, LK_E_LIMIT,
				 "%u calls are in flight, in_flight_max: wait for some to end, or raise it",
				 client->options.in_flight_max);
	}
	if (!method_is_long_poll(call->method))
		retry_budget_earn(&client->budget);
	call->canceled = false;
	call->attempts = 0;
	call->endpoint = NULL;
	call->started++;
	call->deadline_ms = wire_now_ms() + call->timeout_ms;
	client->busy++;
	enqueue(client, call);
	set_due(client, call, client->options.fail_fast && endpoints_all_failed(client) ? 0 : call->deadline_ms);
	leave(client, &work);
	return LK_OK;
}

/* ---- Replies ---- */

/* Whether the call may be sent again after a pause, and then it is in BACKOFF. */
static bool retry_later(lk_client *client, lk_call *call, uint32_t retry_after_ms, uint64_t now_ms)
{
	uint64_t at_ms;

	if (call->attempts >= client->options.attempts_max || call->canceled || client->closing)
		return false;
	at_ms = now_ms + retry_delay_ms(call->attempts, retry_after_ms, random_next(&client->random));
	if (at_ms >= call->deadline_ms || !retry_budget_spend(&client->budget, now_ms))
		return false;
	take_from_endpoint(call);
	call_move(call, CALL_BACKOFF);
	call->retry_at_ms = at_ms;
	set_due(client, call, at_ms);
	return true;
}

/* Whether the call goes to another server at once, and then it is in QUEUED. */
static bool move_on(lk_client *client, lk_call *call, uint64_t now_ms)
{
	if (!call->endpoint->is_leaving) {
		call->endpoint->is_leaving = true;
		endpoints_hurry(client, now_ms);
	}
	if (call->attempts >= client->options.attempts_max || call->canceled || client->closing)
		return false;
	take_from_endpoint(call);
	enqueue(client, call);
	return true;
}

static bool try_again(lk_client *client, lk_call *call, const struct reply *reply, uint64_t now_ms)
{
	if (reply->err != LK_E_UNAVAILABLE)
		return false;
	if (reply->is_refused)
		return move_on(client, call, now_ms);
	if (method_is_long_poll(call->method))
		return false;
	return retry_later(client, call, reply->retry_after_ms, now_ms);
}

/* Takes the call that a reply is for out of flight; NULL: there is none, or it is to be tried again. */
static lk_call *take_replied(struct endpoint *endpoint, uint32_t id, const struct reply *reply, bool understood)
{
	lk_client *client = endpoint->client;
	uint64_t now_ms = wire_now_ms();
	struct work work;
	lk_call *call;

	work_init(&work);
	pthread_mutex_lock(&client->lock);
	endpoint->heard_at_ms = now_ms;
	endpoint->silent = 0;
	if (understood && reply->is_going_away)
		endpoint_give_way(endpoint, now_ms);
	call = slots_find(&client->slots, id);
	if (call != NULL && (call->state != CALL_SENT || call->endpoint != endpoint))
		call = NULL;
	if (call != NULL && understood && try_again(client, call, reply, now_ms))
		call = NULL;
	if (call != NULL)
		claim(client, call);
	leave(client, &work);
	return call;
}

void flow_reply(struct endpoint *endpoint, uint32_t id, const uint8_t *body, size_t len)
{
	struct reply reply = {0};
	struct pool pool;
	bool understood;
	lk_call *call;

	pool_init(&pool, reply_pool_bytes(len));
	understood = reply_open(body, len, &pool, &reply);
	call = take_replied(endpoint, id, &reply, understood);
	if (call != NULL && understood)
		(void)method_answer(call->method, &reply, &pool, &call->results, &call->error);
	else if (call != NULL)
		(void)error_set(&call->error, LK_E_PROTOCOL,
				"%s answers, but not as latchkeyd does: is something else listening there?",
				endpoint->url);
	pool_clear(&pool);
	if (call != NULL)
		call_notify(call);
}

/* ---- Connections ---- */

void flow_ready(struct endpoint *endpoint, wire_channel *channel)
{
	lk_client *client = endpoint->client;
	struct work work;

	work_init(&work);
	pthread_mutex_lock(&client->lock);
	endpoint_set_ready(endpoint, channel, wire_now_ms());
	leave(client, &work);
}

static void move_or_end(lk_client *client, lk_call *call, const struct endpoint *lost, enum wire_error reason,
			struct work *work)
{
	if (call->attempts >= client->options.attempts_max || call->canceled || client->closing) {
		(void)error_set(&call->error, LK_E_UNAVAILABLE, "%s: connection lost: %s", lost->url,
				wire_error_text(reason));
		end_call(client, call, work);
		return;
	}
	take_from_endpoint(call);
	enqueue(client, call);
}

/* With fail_fast, and no connection left to hope for, nothing waits for the deadline. */
static void hurry_queue(lk_client *client)
{
	if (!client->options.fail_fast || !endpoints_all_failed(client))
		return;
	for (lk_call *call = client->queue_first; call != NULL; call = call->queue_next)
		set_due(client, call, 0);
}

void flow_lost(struct endpoint *endpoint, enum wire_error reason)
{
	lk_client *client = endpoint->client;
	struct work work;
	bool was_ready;

	work_init(&work);
	pthread_mutex_lock(&client->lock);
	was_ready = endpoint->state == ENDPOINT_READY;
	endpoint_set_down(endpoint, reason, wire_now_ms());
	if (was_ready)
		endpoints_hurry(client, wire_now_ms());
	for (uint32_t i = 0; i < client->slots.used_end; i++) {
		lk_call *call = client->slots.rows[i].call;

		if (call != NULL && call->state == CALL_SENT && call->endpoint == endpoint)
			move_or_end(client, call, endpoint, reason, &work);
	}
	hurry_queue(client);
	leave(client, &work);
}

/* ---- The tick ---- */

/* Whether the silence of this call, and of those before it, is enough to take the connection for dead. */
static bool is_proof(const lk_call *call, uint64_t now_ms)
{
	struct endpoint *endpoint = call->endpoint;

	if (method_is_long_poll(call->method) && now_ms - call->sent_at_ms >= SILENT_POLL_MS)
		return true;
	if (endpoint->silent++ == 0)
		endpoint->silent_since_ms = now_ms;
	return endpoint->silent >= SILENT_CALLS_MAX && now_ms - endpoint->silent_since_ms >= SILENCE_MS;
}

static void close_later(struct endpoint *endpoint, enum wire_error reason, struct work *work)
{
	assert(work->closing_count < ENDPOINTS_MAX);
	wire_channel_retain(endpoint->channel);
	work->closing[work->closing_count++] = (struct closing){.channel = endpoint->channel, .reason = reason};
}

/* A server that is there answers DEADLINE_EXCEEDED at least: one that says nothing at all is not. */
static void note_silence(const lk_call *call, uint64_t now_ms, struct work *work)
{
	struct endpoint *endpoint = call->endpoint;

	if (endpoint->heard_at_ms > call->sent_at_ms || endpoint->is_given_up || !is_proof(call, now_ms))
		return;
	endpoint->is_given_up = true;
	close_later(endpoint, WIRE_TIMED_OUT, work);
}

static void time_out(lk_client *client, lk_call *call, uint64_t now_ms, struct work *work)
{
	char peers[LK_ERROR_MESSAGE_BYTES];

	switch (call->state) {
	case CALL_SENT:
		note_silence(call, now_ms, work);
		(void)error_set(&call->error, LK_E_TIMED_OUT, "%s: no answer within %u ms", call->endpoint->url,
				call->timeout_ms);
		break;
	case CALL_QUEUED:
		endpoints_describe(client, peers, sizeof(peers));
		(void)error_set(&call->error, LK_E_UNAVAILABLE, "%s", peers);
		break;
	default:
		(void)error_set(&call->error, LK_E_UNAVAILABLE, "no answer but UNAVAILABLE within %u ms",
				call->timeout_ms);
		break;
	}
	end_call(client, call, work);
}

static void attend(lk_client *client, lk_call *call, uint64_t now_ms, struct work *work)
{
	bool hopeless = client->options.fail_fast && call->state == CALL_QUEUED && endpoints_all_failed(client);

	if (call->canceled || client->closing) {
		(void)error_set(&call->error, LK_E_CANCELED, "%s",
				client->closing ? "the client is closing" : "canceled");
		end_call(client, call, work);
	} else if (now_ms >= call->deadline_ms || hopeless) {
		time_out(client, call, now_ms, work);
	} else if (call->state == CALL_BACKOFF && now_ms >= call->retry_at_ms) {
		enqueue(client, call);
		set_due(client, call, call->deadline_ms);
	} else {
		set_due(client, call, call->state == CALL_BACKOFF ? call->retry_at_ms : call->deadline_ms);
	}
}

static void sweep(lk_client *client, uint64_t now_ms, struct work *work)
{
	if (now_ms < client->due_ms)
		return;
	client->due_ms = UINT64_MAX;
	for (uint32_t i = 0; i < client->slots.used_end; i++) {
		const struct slot *slot = &client->slots.rows[i];

		if (slot->call == NULL)
			continue;
		if (now_ms >= slot->due_ms)
			attend(client, slot->call, now_ms, work);
		else if (slot->due_ms < client->due_ms)
			client->due_ms = slot->due_ms;
	}
}

void flow_tick(lk_client *client)
{
	struct endpoint *to_dial[ENDPOINTS_MAX];
	uint64_t now_ms = wire_now_ms();
	size_t count = 0;
	struct work work;

	work_init(&work);
	pthread_mutex_lock(&client->lock);
	sweep(client, now_ms, &work);
	for (size_t i = 0; i < client->endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];

		if (endpoint_should_dial(endpoint, now_ms))
			to_dial[count++] = endpoint;
		else if (endpoint_should_close(endpoint))
			close_later(endpoint, WIRE_CLOSED, &work);
	}
	leave(client, &work);
	for (size_t i = 0; i < count; i++)
		(void)endpoint_dial(to_dial[i]);
}
