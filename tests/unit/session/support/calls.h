#ifndef LK_TESTS_CALLS_H
#define LK_TESTS_CALLS_H

/* Whole session calls: plan, command on a real Redis, answer, as often as the plan asks for. Results live in the
 * world's arena. */

#include "real_redis.h"
#include "world.h"

#define STAGE_KEPT_MAX 16384

struct stage {
	struct world world;
	struct real_redis redis;
	arena *replies;	   /* as the store has its own */
	struct status st;  /* of the last call that failed */
	unsigned commands; /* carried out so far */
	struct store_command last;
	/* What was acknowledged, oldest first, since stage_reset; its bytes live in the world's arena. */
	size_t kept_count;
	struct plan_redo kept[STAGE_KEPT_MAX];
};

int stage_start(void **state);
int stage_stop(void **state);
/* For each test: an empty Redis, a new arena, the clock at WORLD_NOW_MS, the standard keyring. */
int stage_reset(void **state);

/* The reply to the plan's command, NULL if it has none. An error fails the test. */
const struct store_reply *carry_out(struct stage *s, const struct plan *plan);

enum status_code do_create(struct stage *s, const struct session_create_request *req,
			   struct session_create_result *ret);
enum status_code do_get(struct stage *s, const struct session_get_request *req, struct session_get_result *ret);
enum status_code do_update(struct stage *s, const struct session_update_request *req,
			   struct session_update_result *ret);
enum status_code do_rotate(struct stage *s, const struct session_rotate_request *req,
			   struct session_rotate_result *ret);
enum status_code do_revoke(struct stage *s, const struct session_revoke_request *req,
			   struct session_revoke_result *ret);
enum status_code do_revoke_user(struct stage *s, const struct session_revoke_user_request *req,
				struct session_revoke_user_result *ret);
enum status_code do_revoke_realm(struct stage *s, const struct session_revoke_realm_request *req,
				 struct session_revoke_realm_result *ret);
enum status_code do_verify(struct stage *s, const struct session_verify_request *req,
			   struct session_verify_result *ret);
enum status_code do_list(struct stage *s, const struct session_list_request *req, struct session_list_result *ret);

/* Carries the i-th out again: "done", "there", "again", "conflict". */
const char *redo(struct stage *s, size_t i);

/* A token that outlives the arena. */
struct held_token {
	char text[TOKEN_CHARS];
	char handle[HANDLE_CHARS];
};

span token_of(const struct held_token *t);
span handle_text(const struct held_token *t);

/* Fails the test unless it works. */
struct held_token login(struct stage *s, const char *user, const char *class_name);
struct held_token rotate(struct stage *s, const struct held_token *t);
struct held_token rotate_within(struct stage *s, const struct held_token *t, uint32_t grace_s);
struct session_outcome look(struct stage *s, const struct held_token *t);
bool is_valid(struct stage *s, const struct held_token *t);
/* Sets one attribute; the version. */
uint64_t put(struct stage *s, const struct held_token *t, const char *key, const char *value);
/* The value as Get (a peek) has it; "-" when it is not there. */
void expect_attribute(struct stage *s, const struct held_token *t, const char *key, const char *value);

/* "lk1:s:{TAG}:NAME" and "lk1:u:{TAG}", terminated. */
void session_key(const struct held_token *t, char out[static 64]);
void index_key(const struct held_token *t, char out[static 64]);
/* Of the session's entry in the index; -1: there is none. */
double index_score(struct stage *s, const struct held_token *t);

/* Between a command and the look at a time to live, on a busy machine. */
#define SLACK_MS 20000
void expect_ttl(struct stage *s, const char *key, long long wanted_ms);
void expect_session_ttl(struct stage *s, const struct held_token *t, long long wanted_ms);

#endif
