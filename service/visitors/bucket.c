#include "visitors/bucket.h"

#include <time.h>

#include "crypto/names.h"

/* "dYYYYMMDD", "hYYYYMMDDHH" and a NUL, also for years that only a wrong clock tells. */
#define BUCKET_NAME_BYTES 32

uint64_t bucket_expires_ms(const struct realm *realm, enum visitors_bucket width, uint64_t number)
{
	const uint64_t kept =
	    width == VISITORS_DAY ? realm->visitors.day_retention_d : realm->visitors.hour_retention_h;

	return (number + 1 + kept) * bucket_ms(width);
}

static bool is_counter(span counter)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";

	if (counter.len == 0 || counter.len > COUNTER_BYTES_MAX)
		return false;
	for (size_t i = 0; i < counter.len; i++)
		if (memchr(alphabet, counter.ptr[i], sizeof(alphabet) - 1) == NULL)
			return false;
	return true;
}

enum status_code counter_check(span counter, struct status *st)
{
	if (is_counter(counter))
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "a counter of %zu bytes is no name: 1 to %d of a-z 0-9 . _ - /",
			  counter.len, COUNTER_BYTES_MAX);
}

void counter_tag(const struct plan_env *env, span counter, char out[static USER_TAG_CHARS])
{
	tag_of_inputs(env, NAME_COUNTER, (const span[]){env->realm->name, counter}, 2, out);
}

bool bucket_key(arena *a, const char tag[static USER_TAG_CHARS], enum visitors_bucket width, uint64_t number, span *ret)
{
	const time_t start = (time_t)(number * (bucket_ms(width) / 1000));
	char name[BUCKET_NAME_BYTES];
	struct tm utc;
	size_t len;

	if (gmtime_r(&start, &utc) == NULL)
		return false;
	len = strftime(name, sizeof(name), width == VISITORS_DAY ? "d%Y%m%d" : "h%Y%m%d%H", &utc);
	return len > 0 && key_under_subject(a, 'v', tag, span_of(name, len), ret);
}
