#include "call.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/wait.h"

static void on_done(struct store_op *op, const struct store_result *result)
{
	static atomic_uint orders;
	struct call *c = (struct call *)op;
	const struct store_reply *reply = result->reply;

	c->outcome = result->outcome;
	c->retry_after_ms = result->retry_after_ms;
	c->is_late = result->is_late;
	c->is_unsettled = result->is_unsettled;
	c->replicas = result->replicas;
	c->order = atomic_fetch_add(&orders, 1);
	if (reply != NULL) {
		size_t len = reply->string.len < sizeof(c->text) - 1 ? reply->string.len : sizeof(c->text) - 1;

		c->type = reply->type;
		c->integer = reply->integer;
		if (len > 0)
			memcpy(c->text, reply->string.ptr, len);
		c->text[len] = '\0';
	}
	atomic_fetch_add(&c->done, 1);
}

static void add_words(struct store_command *c, const char *words)
{
	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		c->argv[c->argc++] = span_of(words, len);
		words += len;
		words += *words == ' ';
	}
}

void call_init(struct call *c, const char *words)
{
	memset(c, 0, sizeof(*c));
	c->op.done = on_done;
	c->op.deadline_ms = clock_mono_ms() + BOUND_MS;
	add_words(&c->op.command, words);
	if (c->op.command.argc > 1)
		c->op.command.key = c->op.command.argv[1];
}

void call_init_write(struct call *c, const char *words)
{
	call_init(c, words);
	c->op.command.is_write = true;
	c->op.command.is_repeatable = true;
}

void call_init_script(struct call *c, enum store_script script, uint8_t keys, const char *words)
{
	call_init(c, words);
	c->op.command.script = script;
	c->op.command.key_count = keys;
}

void call_start(struct call *c, redis *r)
{
	store_submit(redis_store(r), &c->op);
}

void call_await(struct call *c)
{
	assert_becomes(atomic_load(&c->done) > 0, BOUND_MS);
	assert_int_equal(atomic_load(&c->done), 1);
}

void call_run(struct call *c, redis *r)
{
	call_start(c, r);
	call_await(c);
}

void call_expect(redis *r, const char *words, enum store_outcome outcome, const char *text)
{
	struct call c;

	call_init(&c, words);
	call_run(&c, r);
	if (c.outcome != outcome)
		fail_msg("%s: outcome %d, not %d: %s", words, c.outcome, outcome, c.text);
	if (text != NULL)
		assert_string_equal(c.text, text);
}

static void append(char *to, size_t size, const char *text)
{
	size_t len = strlen(to);

	(void)snprintf(to + len, size - len, "%s ", text);
}

static void append_field(struct events *e, const char *name, const char *text)
{
	char field[700];

	if (text == NULL)
		return;
	(void)snprintf(field, sizeof(field), "%s=%s", name, text);
	append(e->texts, sizeof(e->texts), field);
}

static void append_number(struct events *e, const char *name, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	append_field(e, name, number == 0 ? NULL : text);
}

void events_report(void *owner, const struct redis_event *event)
{
	struct events *e = owner;

	pthread_mutex_lock(&e->lock);
	append(e->names, sizeof(e->names), event->name);
	append_field(e, "node", event->node);
	append_field(e, "from", event->from);
	append_field(e, "error", event->error);
	append_field(e, "text", event->text);
	append_number(e, "attempt", event->attempt);
	append_number(e, "commands", event->commands);
	append_number(e, "not_logged", event->not_logged);
	pthread_mutex_unlock(&e->lock);
}

bool events_have(struct events *e, const char *part)
{
	bool have;

	pthread_mutex_lock(&e->lock);
	have = strstr(e->names, part) != NULL || strstr(e->texts, part) != NULL;
	pthread_mutex_unlock(&e->lock);
	return have;
}

void events_clear(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->names[0] = '\0';
	e->texts[0] = '\0';
	pthread_mutex_unlock(&e->lock);
}

struct redis_options options_for(const char *url, struct events *events)
{
	return (struct redis_options){
	    .url = url,
	    .server_binary = "redis-server",
	    .connections = 1,
	    .connect_timeout_ms = BOUND_MS,
	    .response_timeout_ms = BOUND_MS,
	    .commands_in_flight_max = 16384,
	    .breaker_ms = BOUND_MS,
	    .late_ms = BOUND_MS,
	    .replay_window_ms = 10000,
	    .replay_bytes_max = 64 * 1024 * 1024,
	    .events = {.report = events_report, .owner = events},
	};
}

struct redis_options options_for_failover(const char *url, struct events *events)
{
	struct redis_options options = options_for(url, events);

	options.connections = 2;
	options.connect_timeout_ms = 1000;
	options.response_timeout_ms = 1000;
	options.breaker_ms = 250;
	options.late_ms = 500;
	options.failover_wait_ms = 15000;
	return options;
}

redis *open_redis(const struct redis_options *options)
{
	redis *r = NULL;
	struct status st;

	if (redis_open(options, &r, &st) != STATUS_OK)
		fail_msg("%s: %s", options->url, st.text);
	return r;
}

redis *open_ready(const struct redis_options *options)
{
	redis *r = open_redis(options);

	assert_true(redis_wait_ready(r, BOUND_MS));
	return r;
}

bool is_ready(redis *r)
{
	struct store_state state;

	store_get_state(redis_store(r), &state);
	return state.is_ready;
}
