/* A realm's changes, for those who write them elsewhere. Redis's consumer groups do the work: who was handed what, how
 * often and when. Groups and consumers have hashed names there, for people choose names that tell something.
 *
 * One script hands out, one takes acknowledgements; what was handed out too often is moved to a stream of the group's own,
 * its dead, in the same step that acknowledges it. Ids of the dead have a mark in front. */

#include "base/metrics.h"
#include "crypto/names.h"
#include "profile/entry.h"

/* Each group has its own list of what it has not acknowledged, and a call looks at all of their names. */
#define GROUPS_MAX 64
/* Instances of one program; those that hold nothing make room. */
#define CONSUMERS_MAX 256
/* Changes that one call brings, sealed, and perhaps one of the largest above it (38 KB): opened, as messages and packed
 * they take three times as much, which fits in the memory of a call. */
#define CHANGES_BYTES_MAX 262144
/* Of a group: Redis looks at all of them for those that are late, 0.6 ms, and keeps them also when the stream has dropped
 * the changes themselves. 32 calls of the largest. */
#define UNACKNOWLEDGED_MAX 8192
#define DEAD_MARK	   "d"

static enum status_code check_stream(const struct plan_env *env, span group, struct status *st)
{
	if (!env->realm->profiles.has_changes)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "the realm keeps no stream of changes: set realms.profiles.changes");
	return check_bytes("group", group.len, 1, CHANGE_NAME_BYTES_MAX, st);
}

static enum status_code check_range(const char *what, uint32_t n, uint32_t max, struct status *st)
{
	if (n >= 1 && n <= max)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "%s: %u; must be 1 to %u", what, n, max);
}

static bool hash_name(const struct plan_env *env, const char *kind, span name, span *ret)
{
	const span inputs[] = {env->realm->name, span_str(kind), name};
	char text[NAME_CHARS];

	name_of_inputs(env, NAME_GROUP, inputs, 3, text);
	return arena_copy(env->arena, span_of(text, sizeof(text)), ret);
}

/* "lk1:c:{RTAG}:d:GROUP" */
static bool key_of_dead(const struct plan_env *env, span group, span *ret)
{
	char last[2 + NAME_CHARS] = DEAD_MARK ":";

	memcpy(last + 2, group.ptr, NAME_CHARS);
	return key_under_subject(env->arena, 'c', env->realm->rtag, span_of(last, sizeof(last)), ret);
}

/* Stream, the group's dead, and what is remembered of this call: under the idempotency key, if it is of a method that
 * looks at one. */
static bool add_keys(const struct plan_env *env, span group, span method, struct command_writer *w)
{
	const bool is_keyed = method.len > 0 && env->idempotency_key.len > 0;
	const char *rtag = env->realm->rtag;
	span stream;
	span memory;
	span dead;

	if (!key_of_stream(env, &stream) || !key_of_dead(env, group, &dead))
		return false;
	if (is_keyed ? !key_of_idempotency(env, rtag, method, &memory) : !key_of_run(env, rtag, &memory))
		return false;
	command_key(w, stream);
	command_key(w, dead);
	command_key(w, memory);
	return true;
}

/* ---- Handing out ---- */

static enum status_code check_changes(const struct plan_env *env, const struct profile_changes_request *req,
				      struct status *st)
{
	enum status_code code = check_stream(env, req->group, st);

	if (code == STATUS_OK)
		code = check_bytes("consumer", req->consumer.len, 1, CHANGE_NAME_BYTES_MAX, st);
	if (code == STATUS_OK)
		code = check_range("max", req->max, CHANGES_MAX, st);
	if (code == STATUS_OK)
		code = check_range("deliveries_max", req->deliveries_max, CHANGE_DELIVERIES_MAX, st);
	return code;
}

enum status_code profile_changes_plan(const struct plan_env *env, const struct profile_changes_request *req,
				      struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_CHANGES, true);
	struct plan plan = {0};
	enum status_code code = check_changes(env, req, st);
	span group;
	span consumer;

	if (code != STATUS_OK)
		return code;
	if (!hash_name(env, "group", req->group, &group) || !hash_name(env, "consumer", req->consumer, &consumer) ||
	    !add_keys(env, group, SPAN_EMPTY, &w))
		return no_memory(st);
	command_arg(&w, group);
	command_arg(&w, consumer);
	command_number(&w, req->max);
	command_number(&w, req->redeliver_ms);
	command_number(&w, req->deliveries_max);
	command_number(&w, RUN_MS);
	command_number(&w, env->realm->profiles.changes_max);
	command_number(&w, GROUPS_MAX);
	command_number(&w, CONSUMERS_MAX);
	command_number(&w, CHANGES_BYTES_MAX);
	command_number(&w, UNACKNOWLEDGED_MAX);
	code = command_end(&w, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* id, entry and number of deliveries, from the i-th element on. */
static enum status_code take_change(const struct plan_env *env, const struct store_reply *reply, size_t i,
				    const char *mark, struct profile_changes_result *ret, struct profile_change *out,
				    struct status *st)
{
	const struct store_reply *id = reply_element(reply, i, STORE_STRING);
	const struct store_reply *entry = reply_element(reply, i + 1, STORE_STRING);
	const struct store_reply *deliveries = reply_element(reply, i + 2, STORE_INTEGER);

	if (id == NULL || entry == NULL || deliveries == NULL || deliveries->integer < 0)
		return reply_odd(st, "profile_changes");
	switch (entry_open(env, entry->string, out)) {
	case ENTRY_OPEN:
		break;
	case ENTRY_NO_MEMORY:
		return no_memory(st);
	case ENTRY_UNREADABLE:
		ret->unreadable++;
		if (mark[0] == '\0')
			return STATUS_OK;
		/* A dead one is listed all the same: who has its id can look beyond it, and acknowledge it. */
		*out = (struct profile_change){0};
		break;
	}
	out->deliveries = (uint32_t)deliveries->integer;
	out->id = arena_printf(env->arena, "%s%.*s", mark, SPAN_FMT(id->string));
	if (out->id.len == 0)
		return no_memory(st);
	ret->count++;
	return STATUS_OK;
}

static enum status_code take_changes(const struct plan_env *env, const struct store_reply *reply, size_t from,
				     const char *mark, struct profile_changes_result *ret, struct status *st)
{
	struct profile_change *changes = arena_array(env->arena, (reply->count - from) / 3, sizeof(*changes));

	if (changes == NULL)
		return no_memory(st);
	ret->changes = changes;
	for (size_t i = from; i < reply->count; i += 3)
		if (take_change(env, reply, i, mark, ret, &changes[ret->count], st) != STATUS_OK)
			return st->code;
	metric_add(METRIC_RECORDS_UNREADABLE, ret->unreadable);
	return STATUS_OK;
}

enum status_code profile_changes_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
					struct profile_changes_result *ret, struct status *st)
{
	const struct store_reply *died = reply_element(reply, 1, STORE_INTEGER);
	const struct store_reply *behind = reply_element(reply, 2, STORE_INTEGER);
	struct profile_changes_result out = {0};
	const span word = reply_word(reply);

	(void)plan;
	if (span_eq(word, SPAN_LIT("groups")))
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the realm has %d groups that read its changes, as many as it may; use one of them",
				  GROUPS_MAX);
	if (span_eq(word, SPAN_LIT("consumers")))
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the group has %d consumers that hold changes, as many as it may; acknowledge some",
				  CONSUMERS_MAX);
	if (!span_eq(word, SPAN_LIT("ok")) || died == NULL || behind == NULL)
		return reply_odd(st, "profile_changes");
	if (take_changes(env, reply, 3, "", &out, st) != STATUS_OK)
		return st->code;
	out.died = (uint32_t)died->integer;
	out.behind = behind->integer < 0 ? 0 : (uint64_t)behind->integer;
	metric_add(METRIC_PROFILE_CHANGES_DELIVERED, out.count);
	metric_add(METRIC_PROFILE_CHANGES_DIED, out.died);
	*ret = out;
	return STATUS_OK;
}

/* ---- Acknowledging ---- */

static size_t digits_at(span s, size_t at)
{
	size_t n = 0;

	while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
		n++;
	return n;
}

/* "1764000000123-0" */
static bool is_stream_id(span id)
{
	const size_t first = digits_at(id, 0);
	const size_t second = first + 1 < id.len && id.ptr[first] == '-' ? digits_at(id, first + 1) : 0;

	return first > 0 && first <= 20 && second > 0 && second <= 20 && first + 1 + second == id.len;
}

static bool is_dead_id(span id)
{
	return id.len > 1 && id.ptr[0] == DEAD_MARK[0] && is_stream_id(span_of(id.ptr + 1, id.len - 1));
}

/* Each with a comma behind it. */
static enum status_code join_ids(const struct plan_env *env, const struct profile_ack_request *req, span *ret,
				 struct status *st)
{
	char *out = arena_array(env->arena, req->id_count, CHANGE_ID_BYTES_MAX + 1);
	size_t n = 0;

	if (out == NULL)
		return no_memory(st);
	for (size_t i = 0; i < req->id_count; i++) {
		const span id = req->ids[i];

		if (!is_stream_id(id) && !is_dead_id(id))
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "ids[%zu] is no id of a change; send those that Changes and DeadChanges gave",
					  i);
		memcpy(out + n, id.ptr, id.len);
		n += id.len;
		out[n++] = ',';
	}
	*ret = span_of(out, n);
	return STATUS_OK;
}

static bool fingerprint_ids(const struct plan_env *env, span group, span ids, struct ack_state *ret)
{
	struct fingerprint f;

	if (!fingerprint_start(env->arena, 3, &f))
		return false;
	fingerprint_add(&f, SPAN_LIT("AckChanges"));
	fingerprint_add(&f, group);
	fingerprint_add(&f, ids);
	fingerprint_end(env->keys, &f, ret->fingerprint);
	return true;
}

enum status_code profile_ack_plan(const struct plan_env *env, const struct profile_ack_request *req,
				  struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_ACK, true);
	enum status_code code = check_stream(env, req->group, st);
	struct plan plan = {0};
	span group;
	span ids = SPAN_EMPTY;

	if (code == STATUS_OK && (req->id_count == 0 || req->id_count > CHANGES_MAX))
		code = status_set(st, STATUS_INVALID_ARGUMENT, "ids: %zu of them; must be 1 to %d", req->id_count,
				  CHANGES_MAX);
	if (code == STATUS_OK)
		code = join_ids(env, req, &ids, st);
	if (code != STATUS_OK)
		return code;
	plan.profile = arena_alloc(env->arena, sizeof(*plan.profile));
	if (plan.profile == NULL || !hash_name(env, "group", req->group, &group) ||
	    !add_keys(env, group, SPAN_LIT("AckChanges"), &w) || !fingerprint_ids(env, group, ids, &plan.profile->ack))
		return no_memory(st);
	command_arg(&w, group);
	command_arg(&w, ids);
	command_number(&w, env->idempotency_key.len > 0 ? IDEMPOTENCY_S * 1000ULL : RUN_MS);
	command_arg(&w, span_of(plan.profile->ack.fingerprint, FINGERPRINT_BYTES));
	code = command_end(&w, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

enum status_code profile_ack_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    uint32_t *ret_acknowledged, struct status *st)
{
	const struct store_reply *count = reply_element(reply, 1, STORE_INTEGER);
	const struct store_reply *fingerprint = reply_element(reply, 2, STORE_STRING);
	struct command_writer redo = {.arena = env->arena, .command = plan->command};

	plan->redos = NULL;
	if (!span_eq(reply_word(reply), SPAN_LIT("ok")) || count == NULL || fingerprint == NULL ||
	    fingerprint->string.len != FINGERPRINT_BYTES)
		return reply_odd(st, "profile_ack");
	if (!secret_eq(fingerprint->string.ptr, plan->profile->ack.fingerprint, FINGERPRINT_BYTES))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	command_arg(&redo, SPAN_LIT("redo"));
	if (!command_end_redo(&redo, REDO_MS, plan))
		return no_memory(st);
	*ret_acknowledged = (uint32_t)count->integer;
	metric_add(METRIC_PROFILE_CHANGES_ACKNOWLEDGED, *ret_acknowledged);
	return STATUS_OK;
}

/* ---- The dead ---- */

enum status_code profile_dead_plan(const struct plan_env *env, const struct profile_dead_request *req,
				   struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_DEAD, false);
	enum status_code code = check_stream(env, req->group, st);
	span from = SPAN_LIT("-");
	struct plan plan = {0};
	span group;
	span dead;

	if (code == STATUS_OK)
		code = check_range("max", req->max, CHANGES_MAX, st);
	if (code == STATUS_OK && req->after.len > 0 && !is_dead_id(req->after))
		code = status_set(st, STATUS_INVALID_ARGUMENT,
				  "after is no id of a dead change; send one from DeadChanges");
	if (code != STATUS_OK)
		return code;
	if (req->after.len > 0)
		from = arena_printf(env->arena, "(%.*s", (int)req->after.len - 1, (const char *)req->after.ptr + 1);
	if (from.len == 0 || !hash_name(env, "group", req->group, &group) || !key_of_dead(env, group, &dead))
		return no_memory(st);
	command_key(&w, dead);
	command_arg(&w, from);
	command_number(&w, req->max);
	command_number(&w, CHANGES_BYTES_MAX);
	code = command_end(&w, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

enum status_code profile_dead_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct profile_changes_result *ret, struct status *st)
{
	struct profile_changes_result out = {0};

	(void)plan;
	if (!span_eq(reply_word(reply), SPAN_LIT("ok")))
		return reply_odd(st, "profile_dead");
	if (take_changes(env, reply, 1, DEAD_MARK, &out, st) != STATUS_OK)
		return st->code;
	*ret = out;
	return STATUS_OK;
}
