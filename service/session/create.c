/* A new session: token, record and index entry are made up here, and one script stores them, with room made at the cap.
 *
 * With an idempotency key the answer is sealed beforehand and stored by the same script, so that a repetition, of which
 * only the script can tell, gets the same token. What is remembered, big-endian:
 *      0  format u8 = 1 | 1 key id u16 | 3 sealed: fingerprint 16 bytes, token 75 bytes, created_ms u64
 *    139  names of the sessions that were evicted (the script adds them) */

#include "base/bytes.h"
#include "crypto/codec.h"
#include "crypto/seal.h"
#include "session/announce.h"
#include "session/anonymous.h"
#include "session/fingerprint.h"
#include "session/redo.h"
#include "session/state.h"
#include "session/validate.h"

#define MEMORY_FORMAT	    1
#define MEMORY_HEADER_BYTES 3
#define MEMORY_TEXT_BYTES   (FINGERPRINT_BYTES + TOKEN_BYTES + 8)
#define MEMORY_BYTES	    (MEMORY_HEADER_BYTES + MEMORY_TEXT_BYTES + SEAL_OVERHEAD_BYTES)

static enum status_code check_timeout(const char *what, uint32_t asked_s, uint32_t policy_s, struct status *st)
{
	if (asked_s <= policy_s)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "%s %u is over the policy's %u; ask for less or for another class", what, asked_s, policy_s);
}

static enum status_code check_request(const struct plan_env *env, const struct session_create_request *req,
				      const struct session_class *class, struct status *st)
{
	enum status_code code;

	if (class == NULL)
		return status_set(st, STATUS_NOT_FOUND, "session_class: the realm's policy has no class of this name");
	code = req->is_anonymous ? STATUS_OK : check_user(req->user, st);
	if (code == STATUS_OK)
		code = check_idempotency_key(env, st);
	if (code == STATUS_OK)
		code = check_timeout("idle_timeout_s", req->idle_timeout_s, class->policy.idle_timeout_s, st);
	if (code == STATUS_OK)
		code =
		    check_timeout("absolute_timeout_s", req->absolute_timeout_s, class->policy.absolute_timeout_s, st);
	if (code == STATUS_OK)
		code = check_attributes(req->attributes, req->attribute_count, st);
	if (code == STATUS_OK)
		code = check_device(&req->device, st);
	if (code == STATUS_OK)
		code = check_authentication(&req->authentication, env->now_ms, st);
	return code;
}

static uint32_t or_default(uint32_t asked, uint32_t standard)
{
	return asked == 0 ? standard : asked;
}

static void mint(const struct plan_env *env, const struct session_create_request *req,
		 const struct session_policy *policy, uint64_t created_ms, struct token *ret)
{
	const uint32_t lifetime_s = or_default(req->absolute_timeout_s, policy->absolute_timeout_s);
	const uint32_t idle_s = or_default(req->idle_timeout_s, policy->idle_timeout_s);

	ret->key_id = keyring_first_id(env->keys);
	/* Rounded down: the deadline comes no later than the policy says. */
	ret->created_s = created_ms / 1000;
	ret->issued_s = (uint32_t)(env->now_ms / 1000) & TOKEN_ISSUED_MASK;
	ret->lifetime_s = lifetime_s;
	ret->idle_timeout_s = idle_s < lifetime_s ? idle_s : lifetime_s;
	user_tag_make(env->keys, env->realm->name, req->user, ret->user_tag);
	random_fill(ret->id, sizeof(ret->id));
}

static struct record_header header_of(const struct plan_env *env, const struct session_state *s)
{
	const struct session_create_request *req = s->create.req;

	return (struct record_header){
	    .version = 1,
	    .created_ms = s->create.created_ms,
	    .realm_tag = env->realm->tag,
	    .class_tag = s->create.class->tag,
	    .idle_timeout_s = s->token.idle_timeout_s,
	    .lifetime_s = s->token.lifetime_s,
	    .issued_ms = s->now_ms,
	    .attributes_bound = (uint16_t)req->attribute_count,
	    .text_bound = (uint16_t)attributes_text_bytes(req->attributes, req->attribute_count, NULL, 0),
	};
}

static enum status_code make_record(const struct plan_env *env, const struct session_state *s, span *ret,
				    struct status *st)
{
	const struct session_create_request *req = s->create.req;
	const struct metadata metadata = {req->user, req->device, req->authentication};
	const struct record_header header = header_of(env, s);
	const struct record_place place = place_of(env, s);
	span metadata_text;
	span data_text;

	if (!metadata_print(env->arena, &metadata, &metadata_text) ||
	    !attributes_print(env->arena, req->attributes, req->attribute_count, NULL, 0, &data_text) ||
	    !record_write(env->arena, &place, &header, metadata_text, data_text, ret))
		return no_memory(st);
	if (ret->len > RECORD_BYTES_MAX)
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "attributes: the sealed record has %zu bytes; at most %d. Keep large values elsewhere", ret->len,
		    RECORD_BYTES_MAX);
	return STATUS_OK;
}

static bool make_memory(const struct plan_env *env, const struct session_state *s, span *ret)
{
	const uint16_t key_id = keyring_first_id(env->keys);
	uint8_t *out = arena_alloc(env->arena, MEMORY_BYTES);
	uint8_t text[MEMORY_TEXT_BYTES];
	struct writer w = writer_over(text, sizeof(text));

	if (out == NULL)
		return false;
	put_bytes(&w, span_of(s->create.fingerprint, FINGERPRINT_BYTES));
	put_bytes(&w, span_of(s->create.token, TOKEN_BYTES));
	put_number(&w, s->create.created_ms, 8);
	w = writer_over(out, MEMORY_HEADER_BYTES);
	put_number(&w, MEMORY_FORMAT, 1);
	put_number(&w, key_id, 2);
	seal(env->keys, key_id, SEAL_METADATA, SPAN_EMPTY, s->create.idempotency_key_name, span_of(text, sizeof(text)),
	     out + MEMORY_HEADER_BYTES);
	secret_wipe(text, sizeof(text));
	*ret = span_of(out, MEMORY_BYTES);
	return true;
}

static span at_cap_word(enum at_cap at_cap)
{
	switch (at_cap) {
	case AT_CAP_REFUSE:
		return SPAN_LIT("refuse");
	case AT_CAP_EVICT_LRU:
		return SPAN_LIT("evict_lru");
	case AT_CAP_EVICT_OLDEST:
		break;
	}
	return SPAN_LIT("evict");
}

/* Every argument of the script but those of the idempotency key. */
static bool add_arguments(const struct plan_env *env, const struct session_state *s, struct command_writer *w)
{
	const struct session_policy *policy = &s->create.class->policy;
	uint8_t tombstone_bytes[TOMBSTONE_BYTES];
	uint8_t class_bytes[2];
	struct writer class = writer_over(class_bytes, sizeof(class_bytes));
	span class_tag;
	span tombstone;
	span prefix;
	span evicted;
	span created;

	evicted = announcement_head(env->arena, env, &s->handle, EVENT_EVICTED, REASON_EVICTED, env->now_ms);
	if (evicted.len == 0 || !announcement_wanted(env, &s->handle, EVENT_CREATED, &created))
		return false;
	tombstone_write(REASON_EVICTED, env->now_ms, tombstone_bytes);
	put_number(&class, s->create.class->tag, 2);
	if (!key_prefix(env->arena, &s->handle, &prefix) ||
	    !arena_copy(env->arena, span_of(class_bytes, sizeof(class_bytes)), &class_tag) ||
	    !arena_copy(env->arena, span_of(tombstone_bytes, sizeof(tombstone_bytes)), &tombstone))
		return false;
	command_arg(w, s->create.record);
	command_number(w, s->record_ms);
	command_number(w, token_deadline_s(&s->token));
	command_number(w, env->now_ms);
	command_arg(w, span_of(s->handle.name, NAME_CHARS));
	command_number(w, policy->sessions_max);
	command_arg(w, at_cap_word(policy->at_cap));
	command_arg(w, tombstone);
	command_number(w, realm_tombstone_s(env->realm) * 1000ULL);
	command_arg(w, prefix);
	command_arg(w, class_tag);
	command_arg(w, evicted);
	command_arg(w, created);
	command_number(w, not_before_of(env->not_before, env->realm));
	return true;
}

static enum status_code plan_command(const struct plan_env *env, struct session_state *s, struct plan *plan,
				     struct status *st)
{
	const bool is_remembered = s->create.idempotency_key_name.len > 0;
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_CREATE, true);
	enum status_code code;
	span memory;
	span index;

	code = make_record(env, s, &s->create.record, st);
	if (code != STATUS_OK)
		return code;
	if (!key_of_index(env->arena, &s->handle, &index))
		return no_memory(st);
	command_key(&w, s->key);
	command_key(&w, index);
	if (is_remembered)
		command_key(&w, s->create.idempotency_key_name);
	if (!add_arguments(env, s, &w))
		return no_memory(st);
	if (is_remembered) {
		if (!make_memory(env, s, &memory))
			return no_memory(st);
		command_number(&w, IDEMPOTENCY_S * 1000ULL);
		command_arg(&w, memory);
	}
	return command_end(&w, plan, st);
}

/* A state of a new session: token, handle, keys. */
static struct session_state *begin(const struct plan_env *env, const struct session_create_request *req,
				   const struct session_class *class)
{
	struct session_state *s = state_new(env);

	if (s == NULL)
		return NULL;
	s->create.req = req;
	s->create.class = class;
	s->create.created_ms = creation_ms(env);
	mint(env, req, &class->policy, s->create.created_ms, &s->token);
	token_write(env->keys, env->realm->name, &s->token, s->create.token);
	handle_of_token(env->keys, &s->token, &s->handle);
	s->record_ms = token_record_ms(&s->token, env->now_ms);
	if (!key_of_session(env->arena, &s->handle, &s->key))
		return NULL;
	if (env->idempotency_key.len == 0)
		return s;
	if (!key_of_idempotency(env, s->handle.tag, SPAN_LIT("Create"), &s->create.idempotency_key_name) ||
	    !fingerprint_create(env, req, s->create.fingerprint))
		return NULL;
	return s;
}

enum status_code session_create_plan(const struct plan_env *env, const struct session_create_request *req,
				     struct plan *ret_plan, struct status *st)
{
	const struct session_class *class = session_class_find(env->realm, req->class_name);
	struct plan plan = {0};
	enum status_code code;

	code = check_request(env, req, class, st);
	if (code == STATUS_OK)
		code = check_realm_not_ahead(env, st);
	if (code == STATUS_OK && req->is_anonymous)
		return anonymous_create_plan(env, req, class, ret_plan, st);
	if (code == STATUS_OK && req->promoted.len > 0)
		code = anonymous_promote(env, req, &req, st);
	if (code != STATUS_OK)
		return code;
	plan.session = begin(env, req, class);
	if (plan.session == NULL)
		return no_memory(st);
	code = plan_command(env, plan.session, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* After a replay the state is that of the session created then. */
static bool fill_result(const struct plan_env *env, const struct session_state *s, struct session_create_result *ret)
{
	const struct session_create_request *req = s->create.req;
	const struct metadata metadata = {req->user, req->device, req->authentication};
	const struct record_header header = header_of(env, s);
	const struct info_times times = {
	    .last_seen_ms = s->create.created_ms,
	    .idle_expires_ms = s->create.created_ms + token_record_ms(&s->token, s->create.created_ms),
	    .expires_ms = token_deadline_ms(&s->token),
	};

	char *token = arena_alloc(env->arena, TOKEN_CHARS);

	if (token == NULL)
		return false;
	token_print(s->create.token, token);
	ret->token = span_of(token, TOKEN_CHARS);
	info_fill(env, &s->handle, &header, &metadata, &times, &ret->info);
	return true;
}

static bool add_evicted(const struct session_state *s, size_t i, span name, struct session_create_result *ret)
{
	struct handle h = s->handle;

	if (name.len != NAME_CHARS)
		return false;
	memcpy(h.name, name.ptr, NAME_CHARS);
	handle_print(&h, ret->evicted[i]);
	return true;
}

/* The names of the evicted, one behind the other. */
static enum status_code read_evicted(const struct plan_env *env, const struct session_state *s,
				     const struct store_reply *reply, span *ret_names,
				     struct session_create_result *ret, struct status *st)
{
	const size_t count = reply->count - 1;
	uint8_t *names = arena_array(env->arena, count, NAME_CHARS);

	ret->evicted_count = count;
	ret->evicted = arena_array(env->arena, count, sizeof(*ret->evicted));
	if (ret->evicted == NULL || names == NULL)
		return no_memory(st);
	for (size_t i = 0; i < count; i++) {
		const struct store_reply *name = reply_element(reply, i + 1, STORE_STRING);

		if (name == NULL || !add_evicted(s, i, name->string, ret))
			return reply_odd(st, "session_create");
		memcpy(names + i * NAME_CHARS, name->string.ptr, NAME_CHARS);
	}
	*ret_names = span_of(names, count * NAME_CHARS);
	return STATUS_OK;
}

/* The evicted end with the tombstone that the command brought. */
static bool redo_evictions(const struct plan_env *env, const struct session_state *s, span names, struct plan *plan)
{
	uint8_t tombstone[TOMBSTONE_BYTES];
	struct redo_end end = {
	    .names = names,
	    .tombstone_ms = realm_tombstone_s(env->realm) * 1000ULL,
	};

	if (names.len == 0)
		return true;
	tombstone_write(REASON_EVICTED, s->now_ms, tombstone);
	if (!arena_copy(env->arena, span_of(tombstone, sizeof(tombstone)), &end.tombstone))
		return false;
	remember_end(env, s, &end, 0);
	return redo_bury(env, s, &end, plan);
}

static enum status_code answer_stored(const struct plan_env *env, const struct session_state *s,
				      const struct store_reply *reply, struct plan *plan,
				      struct session_create_result *ret, struct status *st)
{
	struct session_create_result out = {0};
	span names = SPAN_EMPTY;
	enum status_code code = read_evicted(env, s, reply, &names, &out, st);

	if (code != STATUS_OK)
		return code;
	if (!redo_restore(env, s, s->create.record, REDO_SESSION, plan) || !redo_evictions(env, s, names, plan) ||
	    !fill_result(env, s, &out))
		return no_memory(st);
	*ret = out;
	return STATUS_OK;
}

/* Opens what was remembered, and makes the state that of the session that was created then. */
static bool recall(const struct plan_env *env, struct session_state *s, span memory,
		   uint8_t ret_fingerprint[static FINGERPRINT_BYTES])
{
	struct reader r = reader_over(memory);
	const uint64_t format = take_number(&r, 1);
	const uint16_t key_id = (uint16_t)take_number(&r, 2);
	const span sealed = take_bytes(&r, MEMORY_TEXT_BYTES + SEAL_OVERHEAD_BYTES);
	uint8_t text[MEMORY_TEXT_BYTES];
	char printed[TOKEN_CHARS];
	enum session_reason reason;

	if (r.is_short || format != MEMORY_FORMAT)
		return false;
	if (!seal_open(env->keys, key_id, SEAL_METADATA, SPAN_EMPTY, s->create.idempotency_key_name, sealed, text))
		return false;
	memcpy(ret_fingerprint, text, FINGERPRINT_BYTES);
	memcpy(s->create.token, text + FINGERPRINT_BYTES, TOKEN_BYTES);
	r = reader_over(span_of(text + FINGERPRINT_BYTES + TOKEN_BYTES, 8));
	s->create.created_ms = take_number(&r, 8);
	secret_wipe(text, sizeof(text));
	token_print(s->create.token, printed);
	reason = token_parse(env->keys, env->realm->name, span_of(printed, sizeof(printed)), env->now_ms, &s->token);
	secret_wipe(printed, sizeof(printed));
	if (reason != REASON_NONE && reason != REASON_ABSOLUTE_TIMEOUT)
		return false;
	handle_of_token(env->keys, &s->token, &s->handle);
	return s->create.created_ms < token_deadline_ms(&s->token);
}

static enum status_code read_memory(const struct plan_env *env, struct session_state *s, span memory,
				    struct session_create_result *ret, struct status *st)
{
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct session_create_result out = {0};
	span names;

	if (memory.len < MEMORY_BYTES || (memory.len - MEMORY_BYTES) % NAME_CHARS != 0 ||
	    !recall(env, s, memory, fingerprint))
		return status_set(st, STATUS_DATA_LOSS,
				  "the answer remembered for this idempotency key does not open; use another key");
	if (!secret_eq(fingerprint, s->create.fingerprint, sizeof(fingerprint)))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	names = span_of(memory.ptr + MEMORY_BYTES, memory.len - MEMORY_BYTES);
	out.evicted_count = names.len / NAME_CHARS;
	out.evicted = arena_array(env->arena, out.evicted_count, sizeof(*out.evicted));
	if (out.evicted == NULL)
		return no_memory(st);
	for (size_t i = 0; i < out.evicted_count; i++)
		(void)add_evicted(s, i, span_of(names.ptr + i * NAME_CHARS, NAME_CHARS), &out);
	if (!fill_result(env, s, &out))
		return no_memory(st);
	*ret = out;
	return STATUS_OK;
}

/* A first run's answer was remembered: it may never have been acknowledged, and may not be known to all replicas. So the
 * session is read, to be kept: a second round trip, for repetitions only. */
static enum status_code plan_reading(const struct plan_env *env, span memory, struct plan *plan,
				     enum plan_next *ret_next, struct session_create_result *ret, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_NO_SCRIPT, false);
	struct session_create_result *out = arena_alloc(env->arena, sizeof(*out));
	struct session_state *s = plan->session;
	enum status_code code;

	if (out == NULL)
		return no_memory(st);
	code = read_memory(env, s, memory, out, st);
	if (code != STATUS_OK)
		return code;
	if (env->now_ms >= token_deadline_ms(&s->token)) {
		*ret = *out;
		return STATUS_OK;
	}
	if (!key_of_session(env->arena, &s->handle, &s->key))
		return no_memory(st);
	s->create.replayed = out;
	w.command.key = s->key;
	command_arg(&w, SPAN_LIT("GET"));
	command_arg(&w, s->key);
	code = command_end(&w, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code answer_replayed(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
					struct session_create_result *ret, struct status *st)
{
	const struct session_state *s = plan->session;
	struct record record;
	span value = SPAN_EMPTY;

	if (reply->type != STORE_STRING && reply->type != STORE_NIL)
		return reply_odd(st, "GET");
	if (reply->type == STORE_NIL && is_missing_unproven(env, &s->token))
		return status_set(
		    st, STATUS_UNAVAILABLE,
		    "the session that this idempotency key created may be lost by a failover that is under "
		    "way; call again later");
	if (reply->type == STORE_STRING && outcome_of_value(reply->string, &record).verdict == VERDICT_VALID &&
	    (!arena_copy(env->arena, reply->string, &value) || !redo_restore(env, s, value, REDO_SESSION, plan)))
		return no_memory(st);
	*ret = *s->create.replayed;
	return STATUS_OK;
}

enum status_code session_create_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_create_result *ret, struct status *st)
{
	const struct session_state *s = plan->session;
	const span word = reply_word(reply);
	const struct store_reply *memory = reply_element(reply, 1, STORE_STRING);

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (s->anonymous != NULL) {
		anonymous_create_answer(env, s, ret);
		return STATUS_OK;
	}
	if (s->create.replayed != NULL)
		return answer_replayed(env, plan, reply, ret, st);
	if (span_eq(word, SPAN_LIT("ok")))
		return answer_stored(env, s, reply, plan, ret, st);
	if (span_eq(word, SPAN_LIT("replay")) && memory != NULL && s->create.idempotency_key_name.len > 0)
		return plan_reading(env, memory->string, plan, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("full")))
		return status_set(
		    st, STATUS_RESOURCE_EXHAUSTED,
		    "the user has %u sessions of this class, as many as the policy allows; revoke one first",
		    s->create.class->policy.sessions_max);
	if (span_eq(word, SPAN_LIT("taken")))
		return status_set(st, STATUS_INTERNAL,
				  "a new random session id is taken already: the system's randomness is broken");
	return reply_odd(st, "session_create");
}
