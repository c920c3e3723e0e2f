#include "support/scripted_store.h"

#include <errno.h>
#include <time.h>

#include "support/check.h"

static void submit(void *self, struct store_op *op)
{
	struct scripted_store *s = self;
	bool has_room;

	if (s->at_once != NULL) {
		s->at_once(op);
		return;
	}
	(void)pthread_mutex_lock(&s->lock);
	has_room = s->count < SCRIPTED_WAITING_MAX;
	if (has_room)
		s->waiting[s->count++] = op;
	(void)pthread_cond_broadcast(&s->came);
	(void)pthread_mutex_unlock(&s->lock);
	check(has_room);
}

static void state(void *self, struct store_state *ret)
{
	struct scripted_store *s = self;

	(void)pthread_mutex_lock(&s->lock);
	*ret = (struct store_state){.is_ready = s->is_ready, .mode = "standalone", .version = "7.0.15"};
	(void)pthread_mutex_unlock(&s->lock);
}

static bool keep(void *self, const struct store_op *op, const struct store_command *redo, uint64_t lifetime_ms)
{
	struct scripted_store *s = self;
	bool is_kept;

	check(op->command.argc > 0 && lifetime_ms > 0);
	(void)pthread_mutex_lock(&s->lock);
	is_kept = s->refuse_keeps == 0;
	if (is_kept)
		s->kept[redo->script]++;
	else
		s->refuse_keeps--;
	(void)pthread_mutex_unlock(&s->lock);
	return is_kept;
}

static bool pend(void *self, const struct store_command *redo, uint64_t lifetime_ms)
{
	struct scripted_store *s = self;
	bool is_pended;

	check(lifetime_ms > 0);
	(void)pthread_mutex_lock(&s->lock);
	is_pended = !s->refuse_pends;
	if (is_pended)
		s->pended[redo->script]++;
	(void)pthread_mutex_unlock(&s->lock);
	return is_pended;
}

static void announce(void *self, span message)
{
	struct scripted_store *s = self;

	check(message.len <= sizeof(s->announced));
	(void)pthread_mutex_lock(&s->lock);
	memcpy(s->announced, message.ptr, message.len);
	s->announced_len = message.len;
	(void)pthread_mutex_unlock(&s->lock);
}

static size_t nodes(void *self, struct store_node *ret, size_t max)
{
	const struct scripted_store *s = self;

	for (size_t i = 0; i < s->node_count && i < max; i++)
		ret[i] = s->nodes[i];
	return s->node_count;
}

static const struct store_ops ops = {
    .submit = submit, .keep = keep, .pend = pend, .announce = announce, .state = state, .nodes = nodes};

void scripted_start(struct scripted_store *s)
{
	*s = (struct scripted_store){.store = {.ops = &ops, .self = s}, .is_ready = true};
	check(pthread_mutex_init(&s->lock, NULL) == 0);
	check(pthread_cond_init(&s->came, NULL) == 0);
}

void scripted_stop(struct scripted_store *s)
{
	check(s->taken == s->count);
	(void)pthread_cond_destroy(&s->came);
	(void)pthread_mutex_destroy(&s->lock);
}

struct store_op *scripted_take(struct scripted_store *s)
{
	struct store_op *op = NULL;
	struct timespec until;
	int err = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CHECK_PATIENCE_S;
	(void)pthread_mutex_lock(&s->lock);
	while (s->taken == s->count && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&s->came, &s->lock, &until);
	if (s->taken < s->count)
		op = s->waiting[s->taken++];
	(void)pthread_mutex_unlock(&s->lock);
	check(op != NULL);
	return op;
}

size_t scripted_count(struct scripted_store *s)
{
	size_t count;

	(void)pthread_mutex_lock(&s->lock);
	count = s->count;
	(void)pthread_mutex_unlock(&s->lock);
	return count;
}

static void answer(struct store_op *op, enum store_outcome outcome, const struct store_reply *reply)
{
	op->done(op, &(struct store_result){.outcome = outcome, .reply = reply});
}

void scripted_result(struct store_op *op, const struct store_result *like, const struct store_reply *reply)
{
	struct store_result result = *like;

	result.outcome = STORE_REPLIED;
	result.reply = reply;
	op->done(op, &result);
}

void scripted_revoked(struct store_op *op, const struct store_result *like, int64_t was_alive)
{
	const struct store_reply alive = {.type = STORE_INTEGER, .integer = was_alive};
	const struct store_reply names = {.type = STORE_STRING, .string = op->command.argv[2]};
	const struct store_reply *const elements[] = {&alive, &names};

	scripted_result(op, like, &(struct store_reply){.type = STORE_ARRAY, .count = 2, .elements = elements});
}

void scripted_outcome(struct store_op *op, enum store_outcome outcome)
{
	answer(op, outcome, NULL);
}

void scripted_refuse(struct store_op *op, const char *error)
{
	answer(op, STORE_REFUSED, &(struct store_reply){.type = STORE_ERROR, .string = span_str(error)});
}

void scripted_nil(struct store_op *op)
{
	answer(op, STORE_REPLIED, &(struct store_reply){.type = STORE_NIL});
}

void scripted_string(struct store_op *op, span s)
{
	answer(op, STORE_REPLIED, &(struct store_reply){.type = STORE_STRING, .string = s});
}

static void answer_array(struct store_op *op, const struct store_reply *const *elements, size_t count)
{
	answer(op, STORE_REPLIED, &(struct store_reply){.type = STORE_ARRAY, .count = count, .elements = elements});
}

void scripted_strings(struct store_op *op, const span *strings, size_t count)
{
	struct store_reply each[16];
	const struct store_reply *all[16];

	check(count <= 16);
	for (size_t i = 0; i < count; i++) {
		each[i] = (struct store_reply){.type = STORE_STRING, .string = strings[i]};
		all[i] = &each[i];
	}
	answer_array(op, all, count);
}

void scripted_word_number(struct store_op *op, const char *word, int64_t number)
{
	const struct store_reply first = {.type = STORE_STRING, .string = span_str(word)};
	const struct store_reply second = {.type = STORE_INTEGER, .integer = number};

	answer_array(op, (const struct store_reply *const[]){&first, &second}, 2);
}

void scripted_chunk(struct store_op *op, int64_t revoked, const char *score, const char *name, const char *names)
{
	const struct store_reply first = {.type = STORE_INTEGER, .integer = revoked};
	const struct store_reply second = {.type = STORE_STRING, .string = span_str(score)};
	const struct store_reply third = {.type = STORE_STRING, .string = span_str(name)};

	const struct store_reply fourth = {.type = STORE_STRING, .string = span_str(names)};
	const struct store_reply spared = {.type = STORE_STRING};
	const struct store_reply forgotten = {.type = STORE_INTEGER, .integer = 1};

	answer_array(op, (const struct store_reply *const[]){&first, &second, &third, &fourth, &spared, &forgotten}, 6);
}
