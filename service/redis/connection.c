/* A pipelined connection.
 *
 *   DEAD -> CONNECTING -> GREETING -> READY -> DRAINING -> DEAD
 *
 * with a step to DEAD from everywhere: the link's `closed` event. DRAINING means that this side has asked the link to
 * close and takes no more notice of what it brings. From DEAD the tick dials again while it is wanted, after a pause
 * (redis/backoff.h).
 *
 * Threads. Commands come from any thread; link events (opened, input, idle, closed) never overlap; the tick is one more
 * thread. `lock` guards all that they share. It is held while a command is queued and given to the link, because the
 * order in the queue must be the order on the wire, and while dialing; it is never held when an operation's `done`, a
 * hook or wire_link_close is called. The reader and the greeting's result belong to the link's events.
 *
 * Ownership. An operation is in the queue from the moment it is sent until its reply, or the connection's end, takes it
 * off; after that it may be freed by its owner at any moment. The connection's own commands (greeting, ping, ASKING)
 * are operations like any other, flagged OP_DIRECT. After `closed` has answered what was left, and only then,
 * `is_settled`: the tick may dial again, or the memory may go. */

#include "redis/connection.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "redis/backoff.h"
#include "redis/op.h"
#include "redis/queue.h"
#include "redis/reason.h"
#include "wire/link.h"
#include "wire/ticker.h"

/* Advice while a connection is being made or torn down, which takes about as long as the shortest pause. */
#define RETRY_AFTER_MS BACKOFF_MS_MIN

/* Arguments of commands in flight: a thousand of the longest there are (a record of 32 KiB), and well over what
 * commands_in_flight_max common ones come to. */
#define BYTES_IN_FLIGHT_MAX ((size_t)32 * 1024 * 1024)
/* The link must not pause reading on account of output: twice what can be in flight, framing and scripts included. */
#define OUTPUT_BYTES_MAX (2 * BYTES_IN_FLIGHT_MAX)
/* All input is consumed at once; this only has to hold one read. */
#define INPUT_BYTES_MAX 1048576U
/* While callers wait the pause before dialing doubles so often and no more: 200 ms. */
#define SOON_FAILURES_MAX 3U
/* A connection that has brought nothing for so long is asked whether it is there. */
#define PING_AFTER_MS 5000U

enum connection_state { STATE_DEAD, STATE_CONNECTING, STATE_GREETING, STATE_READY, STATE_DRAINING, STATES };

/* A command of the connection's own. op is first: that is how `done` finds the rest. */
struct own_op {
	struct store_op op;
	struct connection *connection;
	enum greeting_step step;
};

struct connection {
	const struct connection_options *options;
	resp_reader *reader;
	struct greeting_result greeted;
	struct greeting_scratch scratch;
	struct own_op greeting[GREETING_STEPS];
	struct own_op ping;

	pthread_mutex_t lock;
	pthread_cond_t settled;
	enum connection_state state;
	bool is_closing; /* for good */
	bool is_settled;
	bool is_opened; /* since it was dialed; the same: */
	bool was_ready;
	struct connection_failure failure; /* of the last attempt, or end; empty while it is ready */
	uint64_t answers;
	uint64_t commands;
	uint64_t errors;
	uint64_t timeouts;
	uint64_t connects;
	wire_link *link; /* from dialing to `closed` */
	struct queue queue;
	uint32_t attempts;    /* to connect, since it was last ready */
	uint64_t greeting_ms; /* when the greeting began */
	uint64_t ended_ms;    /* when it was last closed, or could not be opened */
	uint32_t soon_ms;     /* after that: the pauses before it is dialed again */
	uint32_t pause_ms;
	uint64_t read_ms; /* the link's events: when the bytes being parsed came */
};

/* The one place that changes the state. */
static void move(connection *c, enum connection_state to)
{
	static const uint8_t from[STATES] = {
	    [STATE_DEAD] = 1U << STATE_CONNECTING | 1U << STATE_GREETING | 1U << STATE_READY | 1U << STATE_DRAINING,
	    [STATE_CONNECTING] = 1U << STATE_DEAD,
	    [STATE_GREETING] = 1U << STATE_CONNECTING,
	    [STATE_READY] = 1U << STATE_GREETING,
	    [STATE_DRAINING] = 1U << STATE_CONNECTING | 1U << STATE_GREETING | 1U << STATE_READY,
	};

	assert((from[to] & 1U << c->state) != 0);
	c->state = to;
}

static void report(const connection *c, struct redis_event event)
{
	const struct redis_events *events = &c->options->events;

	event.node = address_in_url(c->options->address);
	if (events->report != NULL)
		events->report(events->owner, &event);
}

/* With the lock held: queue and wire must see the same order. */
static void send_locked(connection *c, struct store_op *op, const struct resp_request *request, bool is_in_full,
			uint64_t now_ms)
{
	queue_push(&c->queue, op, is_in_full, now_ms);
	c->commands++;
	metric_add(METRIC_REDIS_COMMANDS, 1);
	wire_link_send(c->link, request->parts, request->count);
}

static void asking_done(struct store_op *op, const struct store_result *result)
{
	(void)result;
	free(op);
}

/* What ASKING allows is the very next command, so it takes a place in the queue of its own. Rare enough for malloc. */
static bool send_asking_locked(connection *c, uint64_t now_ms)
{
	struct store_op *asking = calloc(1, sizeof(*asking));
	struct resp_request request;

	if (asking == NULL)
		return false;
	asking->command.argc = 1;
	asking->command.argv[0] = SPAN_LIT("ASKING");
	asking->store_flags = OP_DIRECT;
	asking->done = asking_done;
	resp_encode(&asking->command, RESP_BY_HASH, &request);
	send_locked(c, asking, &request, false, now_ms);
	return true;
}

enum connection_verdict connection_submit(connection *c, struct store_op *op, const struct resp_request *request,
					  uint64_t now_ms)
{
	enum connection_verdict verdict = CONNECTION_SENT;

	pthread_mutex_lock(&c->lock);
	if (c->state != STATE_READY)
		verdict = CONNECTION_NOT_READY;
	else if (!queue_has_room(&c->queue, op, c->options->commands_in_flight_max, BYTES_IN_FLIGHT_MAX) ||
		 (op_has(op, OP_ASKING) && !send_asking_locked(c, now_ms)))
		verdict = CONNECTION_FULL;
	else
		send_locked(c, op, request, false, now_ms);
	pthread_mutex_unlock(&c->lock);
	return verdict;
}

static void finish(const connection *c, struct store_op *op, enum store_outcome outcome,
		   const struct store_reply *reply, uint64_t now_ms)
{
	const struct store_result result = {
	    .outcome = outcome,
	    .reply = reply,
	    .is_late = op_age_ms(op, now_ms) > c->options->late_ms,
	};

	if (op_has(op, OP_DIRECT))
		op_finish(op, &result);
	else
		c->options->hooks->finished(c->options->owner, op, outcome, reply, now_ms);
}

/* Asks the link to end. What is in flight is answered when it has. */
static void drop(connection *c, enum wire_error reason)
{
	wire_link *link = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->state == STATE_CONNECTING || c->state == STATE_GREETING || c->state == STATE_READY) {
		move(c, STATE_DRAINING);
		link = c->link;
		wire_link_retain(link);
	}
	pthread_mutex_unlock(&c->lock);
	if (link == NULL)
		return;
	wire_link_close(link, reason, false);
	wire_link_release(&link);
}

static void ping_done(struct store_op *op, const struct store_result *result)
{
	(void)op;
	(void)result;
}

static void report_ready(const connection *c)
{
	const char *version = c->greeted.info.version;

	report(c, (struct redis_event){
		      .kind = REDIS_EVENT_RECOVERY,
		      .name = "redis_connected",
		      .version = version[0] == '\0' ? NULL : version,
		  });
	if (!greeting_version_is_served(version))
		report(c, (struct redis_event){
			      .kind = REDIS_EVENT_PROBLEM,
			      .name = "redis_version_old",
			      .version = version,
			      .text = "Redis 7.0 is the oldest that is served: upgrade it",
			  });
	if (c->greeted.untold[0] != '\0')
		report(c, (struct redis_event){
			      .kind = REDIS_EVENT_PROBLEM,
			      .name = "redis_role_untold",
			      .error = c->greeted.untold,
			      .text = "give redis.user +info: without it a replica is not told from a primary, and "
				      "with Sentinels nobody is taken for one",
			  });
}

/* The owner learns what it is talking to first: nothing may be sent to another server than he believes. */
static void become_ready(connection *c)
{
	bool is_ready;

	c->options->hooks->greeted(c->options->owner, &c->greeted);
	pthread_mutex_lock(&c->lock);
	is_ready = c->state == STATE_GREETING;
	if (is_ready) {
		move(c, STATE_READY);
		c->was_ready = true;
		c->attempts = 0;
		c->failure.error[0] = '\0';
		c->connects++;
	}
	pthread_mutex_unlock(&c->lock);
	if (!is_ready)
		return;
	metric_add(METRIC_REDIS_CONNECTS, 1);
	report_ready(c);
	c->options->hooks->changed(c->options->owner, true);
}

static void greeting_done(struct store_op *op, const struct store_result *result)
{
	struct own_op *own = (struct own_op *)op;
	connection *c = own->connection;

	if (result->outcome != STORE_REPLIED && result->outcome != STORE_REFUSED)
		return;
	/* One refusal is enough: after it the others follow from it. */
	if (c->greeted.refusal[0] != '\0')
		return;
	if (!greeting_answer(own->step, result->reply, &c->greeted))
		drop(c, WIRE_FAILED);
	else if (own->step == GREETING_PING)
		become_ready(c);
}

static void send_own_locked(connection *c, struct own_op *own, uint64_t now_ms)
{
	struct resp_request request;

	own->op.deadline_ms = UINT64_MAX;
	own->op.store_flags = OP_DIRECT;
	resp_encode(&own->op.command, RESP_BY_HASH, &request);
	send_locked(c, &own->op, &request, false, now_ms);
}

static void on_opened(void *owner, wire_link *link)
{
	connection *c = owner;
	uint64_t now_ms = wire_now_ms();

	(void)link;
	pthread_mutex_lock(&c->lock);
	c->is_opened = true;
	if (c->state == STATE_CONNECTING) {
		move(c, STATE_GREETING);
		c->greeting_ms = now_ms;
		for (enum greeting_step step = 0; step < GREETING_STEPS; step++) {
			struct own_op *own = &c->greeting[step];

			if (greeting_command(step, &c->options->greeting, &c->scratch, &own->op.command))
				send_own_locked(c, own, now_ms);
		}
	}
	pthread_mutex_unlock(&c->lock);
}

/* Redis has forgotten the script (a restart, SCRIPT FLUSH): nothing was run, so it is sent again in full, which also
 * teaches it anew. */
static void send_in_full(connection *c, struct store_op *op)
{
	uint64_t now_ms = wire_now_ms();
	enum store_outcome outcome = STORE_EXPIRED;
	struct resp_request request;

	if (now_ms < op->deadline_ms) {
		resp_encode(&op->command, op_has(op, OP_OF_REPLICA) ? RESP_BY_SOURCE_READ_ONLY : RESP_BY_SOURCE,
			    &request);
		pthread_mutex_lock(&c->lock);
		outcome = STORE_UNAVAILABLE;
		if (c->state == STATE_READY && (!op_has(op, OP_ASKING) || send_asking_locked(c, now_ms))) {
			send_locked(c, op, &request, true, now_ms);
			outcome = STORE_REPLIED;
		}
		pthread_mutex_unlock(&c->lock);
	}
	if (outcome == STORE_REPLIED)
		metric_add(METRIC_REDIS_SCRIPT_RELOADS, 1);
	else
		finish(c, op, outcome, NULL, now_ms);
}

static bool is_unknown_script(const struct store_op *op, const struct store_reply *reply)
{
	return reply->type == STORE_ERROR && op->command.script != STORE_NO_SCRIPT && !op_has(op, OP_IN_FULL) &&
	       span_starts_with(reply->string, SPAN_LIT("NOSCRIPT"));
}

static bool on_reply(void *owner, const struct store_reply *reply)
{
	connection *c = owner;
	bool is_listening;
	struct store_op *op;

	pthread_mutex_lock(&c->lock);
	is_listening = c->state == STATE_GREETING || c->state == STATE_READY;
	op = is_listening ? queue_pop(&c->queue) : NULL;
	c->answers++;
	/* That a script is to be sent in full is no error. */
	c->errors += reply->type == STORE_ERROR && (op == NULL || !is_unknown_script(op, reply));
	pthread_mutex_unlock(&c->lock);
	if (op == NULL) {
		/* A reply to nothing: the order is lost, and with it all trust in what follows. */
		if (is_listening)
			drop(c, WIRE_PROTOCOL);
		return false;
	}
	if (is_unknown_script(op, reply)) {
		send_in_full(c, op);
		return true;
	}
	if (reply->type == STORE_ERROR)
		metric_add(METRIC_REDIS_ERRORS, 1);
	finish(c, op, reply->type == STORE_ERROR ? STORE_REFUSED : STORE_REPLIED, reply, c->read_ms);
	wire_cork_relieve();
	return true;
}

static ssize_t on_input(void *owner, wire_link *link, const uint8_t *data, size_t len)
{
	connection *c = owner;

	(void)link;
	c->read_ms = wire_now_ms();
	return resp_reader_input(c->reader, span_of(data, len), on_reply, c) ? (ssize_t)len : -1;
}

static bool on_idle(void *owner, wire_link *link)
{
	connection *c = owner;

	(void)link;
	pthread_mutex_lock(&c->lock);
	if (c->state == STATE_READY && c->queue.count == 0)
		send_own_locked(c, &c->ping, wire_now_ms());
	pthread_mutex_unlock(&c->lock);
	return true;
}

static void report_end(const connection *c, const struct connection_failure *failure, bool was_ready, uint32_t attempts,
		       uint32_t lost)
{
	report(c, (struct redis_event){
		      .kind = REDIS_EVENT_PROBLEM,
		      .name = was_ready ? "redis_disconnected" : "redis_connect_failed",
		      .error = failure->error,
		      .text = failure->remedy,
		      .attempt = was_ready ? 0 : attempts,
		      .commands = was_ready ? lost : 0,
		  });
}

static void note_failure_locked(connection *c, enum reason_stage stage, enum wire_error error)
{
	const bool is_refused = stage == REASON_GREETING && c->greeted.refusal[0] != '\0';
	const struct reason reason = reason_of_end(error, c->options->tls != NULL, stage);

	(void)snprintf(c->failure.error, sizeof(c->failure.error), "%s",
		       is_refused ? c->greeted.refusal : reason.error);
	c->failure.remedy = is_refused ? reason_remedy(c->greeted.refusal) : reason.remedy;
}

/* Nobody's password becomes right within a second, and each attempt costs the server a line in its own log. */
static void set_pauses_locked(connection *c, uint64_t now_ms)
{
	const bool may_be_soon = c->attempts <= SOON_FAILURES_MAX || c->greeted.is_login_refused;

	c->ended_ms = now_ms;
	c->pause_ms = backoff_ms(c->attempts);
	c->soon_ms = may_be_soon ? c->pause_ms : backoff_ms(SOON_FAILURES_MAX);
}

static void settle(connection *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_settled = true;
	pthread_cond_broadcast(&c->settled);
	pthread_mutex_unlock(&c->lock);
}

static void lose(const connection *c, struct store_op *op)
{
	uint64_t now_ms = wire_now_ms();

	while (op != NULL) {
		struct store_op *next = op->next;

		finish(c, op, STORE_LOST, NULL, now_ms);
		op = next;
	}
}

static void on_closed(void *owner, wire_link *link, enum wire_error reason)
{
	connection *c = owner;
	enum reason_stage stage;
	struct store_op *op;
	uint32_t lost;
	uint32_t attempts;
	bool was_ready;
	bool is_told;
	struct connection_failure failure;

	(void)link;
	pthread_mutex_lock(&c->lock);
	stage = c->was_ready ? REASON_SERVING : c->is_opened ? REASON_GREETING : REASON_CONNECTING;
	is_told = !c->is_closing && reason != WIRE_CLOSED;
	if (is_told)
		note_failure_locked(c, stage, reason);
	failure = c->failure;
	move(c, STATE_DEAD);
	lost = c->queue.count;
	op = queue_take_all(&c->queue);
	was_ready = c->was_ready;
	attempts = c->attempts;
	link = c->link;
	c->link = NULL;
	set_pauses_locked(c, wire_now_ms());
	pthread_mutex_unlock(&c->lock);

	wire_link_release(&link);
	if (was_ready)
		metric_add(METRIC_REDIS_DISCONNECTS, 1);
	c->options->hooks->changed(c->options->owner, false);
	lose(c, op);
	if (is_told)
		report_end(c, &failure, was_ready, attempts, lost);
	settle(c);
}

static const struct wire_link_events link_events = {
    .opened = on_opened,
    .input = on_input,
    .idle = on_idle,
    .closed = on_closed,
};

/* With the lock held, so that no event finds the link's address missing. True: `closed` will come. */
static bool dial_locked(connection *c, uint64_t now_ms)
{
	const struct wire_limits limits = {
	    .connect_timeout_ms = c->options->connect_timeout_ms,
	    .idle_timeout_ms = PING_AFTER_MS,
	    .stall_timeout_ms = c->options->response_timeout_ms,
	    .input_bytes_max = INPUT_BYTES_MAX,
	    .output_bytes_max = OUTPUT_BYTES_MAX,
	};
	resp_reader *fresh = resp_reader_new();

	c->attempts++;
	set_pauses_locked(c, now_ms);
	if (fresh == NULL)
		return false;
	resp_reader_free(&c->reader);
	c->reader = fresh;
	move(c, STATE_CONNECTING);
	c->is_settled = false;
	c->is_opened = false;
	c->was_ready = false;
	c->greeted = (struct greeting_result){0};
	if (wire_dial(c->options->address, &limits, c->options->tls, &link_events, c, &c->link) == WIRE_OK)
		return true;
	move(c, STATE_DEAD);
	c->is_settled = true;
	return false;
}

static bool is_overdue(const connection *c, uint64_t now_ms)
{
	if (c->state == STATE_GREETING)
		return now_ms >= c->greeting_ms + c->options->connect_timeout_ms;
	return c->state == STATE_READY && queue_oldest_age_ms(&c->queue, now_ms) >= c->options->response_timeout_ms;
}

static bool is_due(const connection *c, enum connection_want want, uint64_t now_ms)
{
	uint32_t pause_ms = want == CONNECTION_OPEN_SOON ? c->soon_ms : c->pause_ms;

	return want >= CONNECTION_OPEN && c->state == STATE_DEAD && c->is_settled && !c->is_closing &&
	       now_ms >= c->ended_ms + pause_ms;
}

static bool is_unwanted(const connection *c, enum connection_want want)
{
	return want == CONNECTION_CLOSED ||
	       (want == CONNECTION_DRAINED && (c->state != STATE_READY || c->queue.count == 0));
}

void connection_tick(connection *c, enum connection_want want, uint64_t now_ms)
{
	bool failed = false;
	bool overdue;
	bool unwanted;
	uint32_t attempts;

	pthread_mutex_lock(&c->lock);
	overdue = is_overdue(c, now_ms);
	c->timeouts += overdue;
	unwanted = c->state != STATE_DEAD && is_unwanted(c, want);
	if (unwanted)
		c->attempts = 0;
	if (is_due(c, want, now_ms))
		failed = !dial_locked(c, now_ms);
	attempts = c->attempts;
	pthread_mutex_unlock(&c->lock);
	if (overdue)
		drop(c, WIRE_TIMED_OUT);
	else if (unwanted)
		drop(c, WIRE_CLOSED);
	if (failed)
		report(c, (struct redis_event){
			      .kind = REDIS_EVENT_PROBLEM,
			      .name = "redis_connect_failed",
			      .error = "cannot be dialed: out of memory, or no address",
			      .attempt = attempts,
			  });
}

void connection_drop(connection *c)
{
	drop(c, WIRE_CLOSED);
}

bool connection_is_ready(connection *c)
{
	bool is_ready;

	pthread_mutex_lock(&c->lock);
	is_ready = c->state == STATE_READY;
	pthread_mutex_unlock(&c->lock);
	return is_ready;
}

void connection_look(connection *c, uint64_t now_ms, struct connection_view *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = (struct connection_view){
	    .is_ready = c->state == STATE_READY,
	    .is_settled = c->is_settled,
	    .in_flight = c->queue.count,
	    .oldest_ms = c->state == STATE_READY ? queue_oldest_age_ms(&c->queue, now_ms) : 0,
	    .failures = c->attempts - (c->state == STATE_CONNECTING || c->state == STATE_GREETING),
	    .answers = c->answers,
	    .commands = c->commands,
	    .errors = c->errors,
	    .timeouts = c->timeouts,
	    .connects = c->connects,
	};
	pthread_mutex_unlock(&c->lock);
}

bool connection_last_failure(connection *c, struct connection_failure *ret)
{
	bool has_failed;

	pthread_mutex_lock(&c->lock);
	has_failed = c->failure.error[0] != '\0';
	if (has_failed)
		*ret = c->failure;
	pthread_mutex_unlock(&c->lock);
	return has_failed;
}

uint32_t connection_retry_after_ms(connection *c, uint64_t now_ms)
{
	uint32_t wait_ms = RETRY_AFTER_MS;

	pthread_mutex_lock(&c->lock);
	if (c->state == STATE_DEAD && c->ended_ms + c->pause_ms > now_ms)
		wait_ms = (uint32_t)(c->ended_ms + c->pause_ms - now_ms);
	pthread_mutex_unlock(&c->lock);
	return wait_ms;
}

static void init_own(struct own_op *own, connection *c, enum greeting_step step,
		     void (*done)(struct store_op *op, const struct store_result *result))
{
	own->connection = c;
	own->step = step;
	own->op.done = done;
}

connection *connection_new(const struct connection_options *options)
{
	connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->options = options;
	c->is_settled = true;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->settled, NULL);
	for (enum greeting_step step = 0; step < GREETING_STEPS; step++)
		init_own(&c->greeting[step], c, step, greeting_done);
	init_own(&c->ping, c, GREETING_PING, ping_done);
	(void)greeting_command(GREETING_PING, &options->greeting, &c->scratch, &c->ping.op.command);
	return c;
}

void connection_end(connection *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_closing = true;
	pthread_mutex_unlock(&c->lock);
	drop(c, WIRE_CLOSED);
}

void connection_join(connection *c)
{
	pthread_mutex_lock(&c->lock);
	while (!c->is_settled)
		pthread_cond_wait(&c->settled, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void connection_free(connection **c)
{
	connection *old = *c;

	if (old == NULL)
		return;
	*c = NULL;
	connection_end(old);
	connection_join(old);
	resp_reader_free(&old->reader);
	pthread_mutex_destroy(&old->lock);
	pthread_cond_destroy(&old->settled);
	free(old);
}
