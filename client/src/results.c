#include "results.h"

#include <string.h>

void results_clear(struct results *results)
{
	lk_session_free(&results->session);
	lk_sessions_free(&results->sessions);
	lk_info_free(&results->info);
	lk_stats_free(&results->stats);
	lk_redis_status_free(&results->redis);
	lk_events_free(&results->events);
	lk_policy_free(&results->policy);
	lk_keys_free(&results->keys);
	lk_profile_free(&results->profile);
	lk_changes_free(&results->changes);
	lk_auth_answer_free(&results->auth);
	explicit_bzero(&results->lock, sizeof(results->lock));
	*results = (struct results){0};
}
