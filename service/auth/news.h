#ifndef LK_AUTH_NEWS_H
#define LK_AUTH_NEWS_H

/* What this instance has heard of answers: that they were filled, so that who waits asks again at once; and that they
 * were forgotten, so that one which a failover has brought back is not served. By places, which several keys share: too
 * much news does no harm. Thread-safe, without a lock. */

#include "base/span.h"
#include "base/status.h"

typedef struct auth_news auth_news;

/* Between a forget and the moment at which it is there again on a primary that took over: a failover that is noticed late,
 * and the longest replay window. */
#define AUTH_FORGOTTEN_MS 90000

/* NULL when memory is out. */
auth_news *auth_news_new(void) MUST_CHECK;
/* Nulls *n; accepts NULL in it. */
void auth_news_free(auth_news **n);

/* An announcement; others than these are left alone. */
void auth_news_hear(auth_news *n, span message, uint64_t mono_ms);

/* key: of an answer, or an epoch. n may be NULL in all. */
uint32_t auth_news_place(span key);
uint32_t auth_news_count(const auth_news *n, uint32_t place);
void auth_news_forget(auth_news *n, span key, uint64_t mono_ms);
bool auth_news_is_forgotten(const auth_news *n, span key, uint64_t mono_ms);

#endif
