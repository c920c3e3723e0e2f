#ifndef LK_CLI_VERBS_H
#define LK_CLI_VERBS_H

/* What the verbs do. Each returns the exit status. */

#include "line.h"

int verb_session_create(const struct line *line, lk_client *client);
int verb_session_promote(const struct line *line, lk_client *client);
int verb_session_rotate(const struct line *line, lk_client *client);
int verb_session_get(const struct line *line, lk_client *client);
int verb_session_get_many(const struct line *line, lk_client *client);
int verb_session_list(const struct line *line, lk_client *client);
int verb_session_update(const struct line *line, lk_client *client);
int verb_session_revoke(const struct line *line, lk_client *client);
int verb_session_revoke_user(const struct line *line, lk_client *client);
int verb_session_revoke_realm(const struct line *line, lk_client *client);
int verb_session_verify(const struct line *line, lk_client *client);
int verb_session_watch(const struct line *line, lk_client *client);
int verb_profile_set(const struct line *line, lk_client *client);
int verb_profile_get(const struct line *line, lk_client *client);
int verb_profile_incr(const struct line *line, lk_client *client);
int verb_profile_unset(const struct line *line, lk_client *client);
int verb_profile_delete(const struct line *line, lk_client *client);
int verb_profile_changes(const struct line *line, lk_client *client);
int verb_profile_ack(const struct line *line, lk_client *client);
int verb_profile_dead(const struct line *line, lk_client *client);
int verb_visitors_record(const struct line *line, lk_client *client);
int verb_visitors_count(const struct line *line, lk_client *client);
int verb_auth_lookup(const struct line *line, lk_client *client);
int verb_auth_fill(const struct line *line, lk_client *client);
int verb_auth_forget(const struct line *line, lk_client *client);
int verb_limit_check(const struct line *line, lk_client *client);
int verb_limit_reset(const struct line *line, lk_client *client);
int verb_lock_acquire(const struct line *line, lk_client *client);
int verb_lock_extend(const struct line *line, lk_client *client);
int verb_lock_release(const struct line *line, lk_client *client);
int verb_info(const struct line *line, lk_client *client);
int verb_health(const struct line *line, lk_client *client);
int verb_stats(const struct line *line, lk_client *client);
int verb_redis(const struct line *line, lk_client *client);
int verb_policy(const struct line *line, lk_client *client);
int verb_credential_new(const struct line *line, lk_client *client);
int verb_keys(const struct line *line, lk_client *client);
int verb_bench(const struct line *line, lk_client *client);

#endif
