#ifndef LK_VISITORS_BUCKET_H
#define LK_VISITORS_BUCKET_H

/* Buckets of time, UTC, numbered from 1970, and their keys. */

#include "plan/subject.h"
#include "visitors/visitors.h"

static inline uint64_t bucket_ms(enum visitors_bucket width)
{
	return width == VISITORS_DAY ? 86400000 : 3600000;
}

static inline uint64_t bucket_at(enum visitors_bucket width, uint64_t at_ms)
{
	return at_ms / bucket_ms(width);
}

/* When the realm forgets it. */
uint64_t bucket_expires_ms(const struct realm *realm, enum visitors_bucket width, uint64_t number);

/* 1 to COUNTER_BYTES_MAX of a-z 0-9 . _ - / */
enum status_code counter_check(span counter, struct status *st) MUST_CHECK;
void counter_tag(const struct plan_env *env, span counter, char out[static USER_TAG_CHARS]);
/* "lk1:v:{TAG}:dYYYYMMDD" or "lk1:v:{TAG}:hYYYYMMDDHH". False: the arena is full. */
bool bucket_key(arena *a, const char tag[static USER_TAG_CHARS], enum visitors_bucket width, uint64_t number,
		span *ret) MUST_CHECK;

#endif
