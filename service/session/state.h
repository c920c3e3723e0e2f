#ifndef LK_SESSION_STATE_H
#define LK_SESSION_STATE_H

/* What the calls of this folder share: what an answer remembers of its plan, how commands are put together and how
 * replies are judged. */

#include "session/handle.h"
#include "session/record.h"
#include "session/token.h"

struct create_state {
	const struct session_create_request *req;
	const struct session_class *class;
	uint8_t token[TOKEN_BYTES];
	uint64_t created_ms;
	span idempotency_key_name; /* of the key in Redis that remembers the answer */
	uint8_t fingerprint[16];
};

struct get_state {
	const struct session_get_request *req;
};

struct update_state {
	const struct session_update_request *req;
	span change; /* its text */
	span delta;  /* the same, sealed */
	span idempotency_key_name;
	uint8_t fingerprint[16];
	unsigned steps;
};

struct list_state {
	const struct session_list_request *req;
};

struct revoke_user_state {
	uint8_t tombstone[TOMBSTONE_BYTES];
	uint64_t tombstone_ms;
	bool has_except;
	struct handle except;
	bool has_class;
	uint16_t class_tag;
	span cursor_score;
	span cursor_name;
	uint32_t revoked;
};

struct session_state {
	/* verdict 0: the store is to be asked. */
	struct session_outcome decided;
	struct token token;
	struct handle handle;
	span key;	    /* of the session */
	uint64_t now_ms;    /* when the command was planned */
	uint64_t record_ms; /* the time to live that the command gives */
	union {
		struct create_state create;
		struct get_state get;
		struct update_state update;
		struct list_state list;
		struct revoke_user_state revoke_user;
	};
};

enum status_code no_memory(struct status *st);

/* A zeroed state, NULL when the arena is full. */
struct session_state *state_new(const struct session_env *env);

/* A state for a call about one token: either decided (the token itself says INVALID) or with token, handle, key and
 * times filled in. */
enum status_code state_of_token(const struct session_env *env, span text, struct session_state **ret,
				struct status *st) MUST_CHECK;

struct record_place place_of(const struct session_env *env, const struct session_state *s);

/* ---- Commands: start, keys, arguments, end. What fails on the way is reported by the end. ---- */

struct command_writer {
	arena *arena;
	struct store_command command;
	bool failed;
};

struct command_writer command_start(arena *a, enum store_script script, bool is_write);
void command_key(struct command_writer *w, span key);
void command_arg(struct command_writer *w, span arg);
void command_number(struct command_writer *w, uint64_t n);
enum status_code command_end(struct command_writer *w, struct session_plan *plan, struct status *st) MUST_CHECK;

/* ---- Replies: what a script answers is an array that starts with a word. ---- */

/* The word; SPAN_EMPTY when the reply is no such array. */
span reply_word(const struct store_reply *reply);
/* Element i, if it is there and of this type; else NULL. */
const struct store_reply *reply_element(const struct store_reply *reply, size_t i, enum store_reply_type type);
/* INTERNAL: the reply has another shape than the script or command gives. */
enum status_code reply_odd(struct status *st, const char *asked);

/* Decimal digits only, at most 2^53, up to which scripts count exactly. */
bool number_parse(span text, uint64_t *ret) MUST_CHECK;

/* ---- Judgement. ---- */

struct session_outcome outcome_valid(void);
struct session_outcome outcome_invalid(enum session_reason reason);
/* No record was found. */
struct session_outcome outcome_gone(const struct session_state *s, uint64_t now_ms);
/* A part did not open. NO_MEMORY is not for here. */
struct session_outcome outcome_closed(enum record_result result);
/* What a value says: VALID, with the record taken apart; INVALID by a tombstone; or UNKNOWN. */
struct session_outcome outcome_of_value(span value, struct record *ret_record);

struct info_times {
	uint64_t last_seen_ms;
	uint64_t idle_expires_ms;
	uint64_t expires_ms;
};

void info_fill(const struct session_env *env, const struct handle *h, const struct record_header *header,
	       const struct metadata *metadata, const struct info_times *times, struct session_info *ret);
/* When it was used last: what is left of its time to live tells, once it was given min(idle timeout, rest). */
uint64_t last_seen_ms(const struct record_header *header, uint64_t now_ms, uint64_t left_ms);

#endif
