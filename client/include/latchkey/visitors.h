#ifndef LATCHKEY_VISITORS_H
#define LATCHKEY_VISITORS_H

/* How many different visitors there were, by HyperLogLog: estimates with a standard error of 0.81 %, at most 12 KiB for
 * each counter and day, or hour, however many come. A part of liblatchkey; the rules of latchkey/latchkey.h hold. */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Record ---- */

struct lk_visitors_record_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *counter;	    /* 1 to 64 of a-z 0-9 . _ - /; required */
	const struct lk_bytes *ids; /* whoever came; each 1 to 256 bytes */
	size_t id_count;	    /* 1 to 1,024 */
	uint64_t at_ms;		    /* when. Default: now, on the server's clock; at most 60 s ahead */
};
#define LK_VISITORS_RECORD_REQUEST_INIT LK_INIT_(struct lk_visitors_record_request)

/* Records visitors, in the bucket of the day and in that of the hour (UTC). The same may be recorded again at will.
 * ret_changed, which may be NULL: whether an estimate may have changed. */
LK_API LK_MUST_CHECK enum lk_err lk_visitors_record(lk_client *client, const struct lk_visitors_record_request *request,
						    bool *ret_changed, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_visitors_record_async(lk_call *call,
							  const struct lk_visitors_record_request *request);

/* ---- Count ---- */

struct lk_visitors_count_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *const *counters;
	size_t counter_count; /* 1 to 16 */
	bool by_hour;	      /* buckets of an hour, in place of a day */
	uint64_t from_ms;     /* Default: the bucket that is now */
	uint64_t to_ms;	      /* its bucket counts too. Default: now. At most 400 buckets */
};
#define LK_VISITORS_COUNT_REQUEST_INIT LK_INIT_(struct lk_visitors_count_request)

/* The number of different ids in all buckets of the range, and of all counters together: who comes to two counters, or
 * on two days, counts once. ret_buckets, which may be NULL: how many buckets of each counter are in the range. */
LK_API LK_MUST_CHECK enum lk_err lk_visitors_count(lk_client *client, const struct lk_visitors_count_request *request,
						   uint64_t *ret_count, uint32_t *ret_buckets, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_visitors_count_async(lk_call *call,
							 const struct lk_visitors_count_request *request);

/* ---- Results of calls in the background ---- */

LK_API bool lk_call_changed(const lk_call *call);      /* record */
LK_API uint64_t lk_call_visitors(const lk_call *call); /* count, */
LK_API uint32_t lk_call_buckets(const lk_call *call);  /* and this */

#ifdef __cplusplus
}
#endif

#endif
