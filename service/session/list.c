/* A user's living sessions, page by page. A page token is the place of the last entry seen, score in 2^20ths, u64, and NAME
 * in 20 bytes of base64url: the next page starts behind it whether or not that entry is still there. */

#include "base/bytes.h"
#include "crypto/codec.h"
#include "session/state.h"
#include "session/validate.h"

#define CURSOR_BYTES (8 + NAME_BYTES)
#define CURSOR_CHARS BASE64_CHARS(CURSOR_BYTES)
/* How many entries, of the dead too, one script looks at before it answers with a shorter page: 3 us measured for each,
 * about 1.5 ms in all. A page may be that long anyway. */
#define LOOKS_MAX LIST_PAGE_MAX
/* Elements of the reply: two, and then four for each session. */
#define HEAD_ELEMENTS	 2
#define SESSION_ELEMENTS 4

static enum status_code read_cursor(span text, uint64_t *ret_score, char ret_name[static NAME_CHARS], struct status *st)
{
	uint8_t bytes[CURSOR_BYTES];
	struct reader r = reader_over(span_of(bytes, sizeof(bytes)));

	if (!base64_decode(text, bytes, sizeof(bytes)))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "page_token: not one that List gave; leave it out for the first page");
	*ret_score = take_number(&r, 8);
	base64_encode(take_bytes(&r, NAME_BYTES), ret_name);
	return STATUS_OK;
}

static enum status_code add_cursor(const struct plan_env *env, span page_token, struct command_writer *w,
				   struct status *st)
{
	char name[NAME_CHARS];
	enum status_code code;
	uint64_t score = 0;
	span copy;

	if (page_token.len == 0) {
		command_arg(w, SPAN_EMPTY);
		command_arg(w, SPAN_EMPTY);
		return STATUS_OK;
	}
	code = read_cursor(page_token, &score, name, st);
	if (code != STATUS_OK)
		return code;
	if (!arena_copy(env->arena, span_of(name, sizeof(name)), &copy))
		return no_memory(st);
	command_number(w, score);
	command_arg(w, copy);
	return STATUS_OK;
}

static enum status_code plan_command(const struct plan_env *env, const struct session_list_request *req,
				     const struct session_state *s, struct plan *plan, struct status *st)
{
	/* Not a write: all that it may change is to clear dead entries away, once or twice. */
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_LIST, false);
	enum status_code code;
	span index;
	span prefix;

	if (!key_of_index(env->arena, &s->handle, &index) || !key_prefix(env->arena, &s->handle, &prefix))
		return no_memory(st);
	command_key(&w, index);
	command_arg(&w, prefix);
	command_number(&w, env->now_ms);
	command_number(&w, req->page_size == 0 ? LIST_PAGE_DEFAULT : req->page_size);
	command_number(&w, LOOKS_MAX);
	command_number(&w, not_before_of(env->not_before, env->realm));
	code = add_cursor(env, req->page_token, &w, st);
	return code == STATUS_OK ? command_end(&w, plan, st) : code;
}

enum status_code session_list_plan(const struct plan_env *env, const struct session_list_request *req,
				   struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code = check_user(req->user, st);

	if (code != STATUS_OK)
		return code;
	if (req->page_size > LIST_PAGE_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "page_size %u is not in 1..%d", req->page_size,
				  LIST_PAGE_MAX);
	plan.session = state_new(env);
	if (plan.session == NULL)
		return no_memory(st);
	plan.session->list.req = req;
	user_tag_make(env->keys, env->realm->name, req->user, plan.session->token.user_tag);
	handle_of_token(env->keys, &plan.session->token, &plan.session->handle);
	code = plan_command(env, req, plan.session, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

struct entry {
	struct handle handle;
	uint64_t expires_ms;
	uint64_t left_ms;
	span head; /* of the record */
};

/* False: odd. */
static bool read_entry(const struct session_state *s, const struct store_reply *reply, size_t at, struct entry *ret)
{
	const struct store_reply *name = reply_element(reply, at, STORE_STRING);
	const struct store_reply *score = reply_element(reply, at + 1, STORE_STRING);
	const struct store_reply *left = reply_element(reply, at + 2, STORE_INTEGER);
	const struct store_reply *head = reply_element(reply, at + 3, STORE_STRING);
	uint64_t deadline_s;

	if (name == NULL || name->string.len != NAME_CHARS || score == NULL || left == NULL || head == NULL)
		return false;
	if (!number_parse(score->string, &deadline_s))
		return false;
	ret->expires_ms = deadline_s * 1000;
	ret->handle = s->handle;
	memcpy(ret->handle.name, name->string.ptr, NAME_CHARS);
	ret->left_ms = left->integer > 0 ? (uint64_t)left->integer : 0;
	ret->head = head->string;
	return true;
}

/* One whose record does not open is shown by what the index knows of it: it must not hide the others, and it can be
 * revoked by its handle. */
static enum status_code fill_entry(const struct plan_env *env, const struct session_list_request *req,
				   const struct entry *e, struct session_info *ret, struct status *st)
{
	struct info_times times = {.idle_expires_ms = env->now_ms + e->left_ms, .expires_ms = e->expires_ms};
	struct record_place place = {.keys = env->keys, .compressor = env->compressor, .now_ms = env->now_ms};
	struct metadata metadata = {.user = req->user};
	struct record record = {0};
	enum record_result result;

	if (!key_of_session(env->arena, &e->handle, &place.key))
		return no_memory(st);
	result = record_split_head(e->head, &record);
	if (result == RECORD_OK)
		result = record_open_metadata(env->arena, &place, &record, &metadata);
	if (result == RECORD_NO_MEMORY)
		return no_memory(st);
	if (result == RECORD_OK)
		times.last_seen_ms = last_seen_ms(&record.header, env->now_ms, e->left_ms);
	else
		record = (struct record){0};
	info_fill(env, &e->handle, &record.header, &metadata, &times, ret);
	return STATUS_OK;
}

/* What was revoked a moment ago is left out: fewer then remain. */
static enum status_code fill_entries(const struct plan_env *env, const struct session_state *s,
				     const struct store_reply *reply, struct session_info *sessions, size_t *count,
				     struct status *st)
{
	enum status_code code = STATUS_OK;
	struct session_outcome ended;
	size_t living = 0;

	for (size_t i = 0; i < *count && code == STATUS_OK; i++) {
		struct entry e;

		if (!read_entry(s, reply, HEAD_ELEMENTS + i * SESSION_ELEMENTS, &e))
			return reply_odd(st, "session_list");
		if (!outcome_recent(env, &e.handle, &ended))
			code = fill_entry(env, s->list.req, &e, &sessions[living++], st);
	}
	*count = living;
	return code;
}

/* The names' bytes outlive the reply only in the arena. */
static enum status_code fill_page_token(const struct plan_env *env, const struct store_reply *reply, span *ret,
					struct status *st)
{
	const struct store_reply *score = reply_element(reply, 0, STORE_STRING);
	const struct store_reply *name = reply_element(reply, 1, STORE_STRING);
	uint8_t bytes[CURSOR_BYTES];
	struct writer w = writer_over(bytes, sizeof(bytes));
	uint64_t number;
	char *text;

	if (score == NULL || name == NULL)
		return reply_odd(st, "session_list");
	*ret = SPAN_EMPTY;
	if (name->string.len == 0)
		return STATUS_OK;
	if (!number_parse(score->string, &number) || !base64_decode(name->string, bytes + 8, NAME_BYTES))
		return reply_odd(st, "session_list");
	put_number(&w, number, 8);
	text = arena_alloc(env->arena, CURSOR_CHARS);
	if (text == NULL)
		return no_memory(st);
	base64_encode(span_of(bytes, sizeof(bytes)), text);
	*ret = span_of(text, CURSOR_CHARS);
	return STATUS_OK;
}

enum status_code session_list_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct session_list_result *ret, struct status *st)
{
	const struct session_state *s = plan->session;
	struct session_list_result out = {0};
	struct session_info *sessions;
	enum status_code code;

	code = fill_page_token(env, reply, &out.next_page_token, st);
	if (code != STATUS_OK)
		return code;
	if ((reply->count - HEAD_ELEMENTS) % SESSION_ELEMENTS != 0)
		return reply_odd(st, "session_list");
	out.count = (reply->count - HEAD_ELEMENTS) / SESSION_ELEMENTS;
	if (out.count > LIST_PAGE_MAX)
		return reply_odd(st, "session_list");
	sessions = arena_array(env->arena, out.count, sizeof(*sessions));
	if (sessions == NULL)
		return no_memory(st);
	code = fill_entries(env, s, reply, sessions, &out.count, st);
	out.sessions = sessions;
	if (code == STATUS_OK)
		*ret = out;
	return code;
}
