#include "rpc/outcome.h"

#include <assert.h>
#include <string.h>

/* Advice where the store gives none. Redis's own moments (loading, failover, a long script) take that long at least. */
#define RETRY_AFTER_UNAVAILABLE_MS 100
/* Memory comes back as sessions expire, or as somebody acts. */
#define RETRY_AFTER_FULL_MS 1000
/* No error word of Redis is longer. */
#define ERROR_WORD_BYTES_MAX 16
/* Redis's sentences are shorter; a script's name and line behind them matter less. */
#define ERROR_WORDS_BYTES_MAX 200

static const struct {
	const char *word;
	enum status_code code;
	uint32_t retry_after_ms;
	const char *text;
} refusals[] = {
    {"OOM", STATUS_RESOURCE_EXHAUSTED, RETRY_AFTER_FULL_MS,
     "Redis is full (maxmemory): raise its limit, or shorten the policy's timeouts"},
    {"MISCONF", STATUS_UNAVAILABLE, RETRY_AFTER_FULL_MS,
     "Redis takes no writes because it cannot save to disk: see its log, and make room there"},
    {"READONLY", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "Redis is a replica now and takes no writes"},
    {"LOADING", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "Redis is loading its data"},
    {"MASTERDOWN", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "Redis has lost its primary"},
    {"CLUSTERDOWN", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "the Redis cluster is down"},
    {"NOREPLICAS", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS,
     "Redis has too few replicas to take writes (min-replicas-to-write)"},
    {"BUSY", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "Redis is busy with a long script"},
    {"TRYAGAIN", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "Redis is moving the session's slot"},
    /* These come here only after the store has followed several of them. */
    {"MOVED", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS,
     "the cluster's slot map keeps changing; in redis.url, redis+cluster:// is for clusters, redis:// is for single "
     "servers"},
    {"ASK", STATUS_UNAVAILABLE, RETRY_AFTER_UNAVAILABLE_MS, "the cluster's slot map keeps changing"},
    /* Not UNAVAILABLE: trying again does not help before somebody acts. */
    {"NOAUTH", STATUS_INTERNAL, 0, "Redis demands a password: set redis.user and redis.password_file"},
    {"WRONGPASS", STATUS_INTERNAL, 0, "Redis does not accept the password: check redis.user and redis.password_file"},
    {"NOPERM", STATUS_INTERNAL, 0,
     "Redis's ACL does not allow the command: give redis.user the rights that docs/operations.md lists"},
    /* All keys of a command share a hash tag. */
    {"CROSSSLOT", STATUS_INTERNAL, 0, "Redis refused the keys as of different slots: please report this defect"},
};

span outcome_error_word(const struct store_result *result)
{
	const span text = result->reply == NULL ? SPAN_EMPTY : result->reply->string;
	size_t len = 0;

	while (len < text.len && len < ERROR_WORD_BYTES_MAX && text.ptr[len] >= 'A' && text.ptr[len] <= 'Z')
		len++;
	return span_of(text.ptr, len);
}

span outcome_error_words(const struct store_result *result)
{
	static const char echo[] = ", with args beginning with";
	span text = result->reply == NULL ? SPAN_EMPTY : result->reply->string;
	const uint8_t *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, echo, strlen(echo));

	if (at != NULL)
		text.len = (size_t)(at - text.ptr);
	if (text.len > ERROR_WORDS_BYTES_MAX)
		text.len = ERROR_WORDS_BYTES_MAX;
	return text;
}

/* Within a script the word NOPERM is not in front; how it is put depends on Redis's version. */
static bool is_about_rights(span text)
{
	static const char *const signs[] = {"NOPERM", "The user executing the script can't", "ACL failure in script"};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && text.len > 0; i++) {
		if (memmem(text.ptr, text.len, signs[i], strlen(signs[i])) != NULL)
			return true;
	}
	return false;
}

static enum status_code refused(const struct store_result *result, struct status *st)
{
	const span word =
	    is_about_rights(outcome_error_words(result)) ? SPAN_LIT("NOPERM") : outcome_error_word(result);

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (!span_eq(word, span_str(refusals[i].word)))
			continue;
		(void)status_set(st, refusals[i].code, "%s", refusals[i].text);
		st->retry_after_ms = refusals[i].retry_after_ms;
		return st->code;
	}
	return status_set(st, STATUS_INTERNAL, "Redis refused the command (%.*s): see the service's log",
			  SPAN_FMT(word.len > 0 ? word : SPAN_LIT("no reason given")));
}

static enum status_code lost(const struct store_command *command, struct status *st)
{
	if (command->is_write)
		return status_set(st, STATUS_UNAVAILABLE,
				  "the connection to Redis ended before its reply: whether the change was made is "
				  "unknown; repeating the call with its idempotency key is safe");
	return status_set(st, STATUS_UNAVAILABLE, "the connection to Redis ended before its reply: call again");
}

static uint32_t advice(const struct store_result *result)
{
	return result->retry_after_ms > 0 ? result->retry_after_ms : RETRY_AFTER_UNAVAILABLE_MS;
}

enum status_code outcome_status(const struct store_command *command, const struct store_result *result,
				struct status *st)
{
	switch (result->outcome) {
	case STORE_REFUSED:
		return refused(result, st);
	case STORE_LOST:
		return lost(command, st);
	case STORE_EXPIRED:
		return status_set(st, STATUS_DEADLINE_EXCEEDED, "out of time before Redis could be asked");
	case STORE_UNAVAILABLE:
		(void)status_set(st, STATUS_UNAVAILABLE, "Redis cannot be reached now");
		break;
	case STORE_OVERLOADED:
		(void)status_set(st, STATUS_RESOURCE_EXHAUSTED,
				 "too many commands wait for Redis already (redis.commands_in_flight_max)");
		break;
	case STORE_REPLIED:
		assert(false);
	}
	st->retry_after_ms = advice(result);
	return st->code;
}
