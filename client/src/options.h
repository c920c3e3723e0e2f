#ifndef LK_CLIENT_OPTIONS_H
#define LK_CLIENT_OPTIONS_H

/* The caller's structs taken in: sizes of other versions, defaults, ranges; what must outlive the call is copied. */

#include "latchkey/latchkey.h"

#define CONNECT_TIMEOUT_MS_DEFAULT   2000
#define CALL_TIMEOUT_MS_DEFAULT	     2000
#define ATTEMPTS_MAX		     3
#define RETRY_BUDGET_PERCENT_DEFAULT 10
#define IN_FLIGHT_DEFAULT	     4096
#define CREDENTIAL_BYTES_MAX	     128
#define REALM_BYTES_MAX		     64
/* sockaddr_un has 108 bytes for a path, a DNS name at most 255. */
#define ENDPOINT_BYTES_MAX 320

struct options {
	size_t endpoint_count;
	char (*endpoints)[ENDPOINT_BYTES_MAX + 1];
	char realm[REALM_BYTES_MAX + 1];	   /* empty: the server's */
	char credential[CREDENTIAL_BYTES_MAX + 1]; /* empty: none */
	uint32_t connect_timeout_ms;
	uint32_t call_timeout_ms;
	uint32_t attempts_max;
	uint32_t retry_budget_percent;
	uint32_t in_flight_max;
	bool fail_fast;
	bool needs_tls;
};

/* Checks and copies; TLS file names stay with the caller. given may be NULL. */
enum lk_err options_take(const struct lk_options *given, struct lk_options *ret_given, struct options *ret,
			 struct lk_error *error) __attribute__((warn_unused_result));
/* Wipes and frees what `options` holds; accepts one that is zeroed. */
void options_clear(struct options *options);

/* Copies a struct of the caller's, of this or another version, over `to`, which has this version's size. NULL: all
 * zero. An older one leaves the new fields zero. A newer one must not ask for what this version lacks. */
enum lk_err struct_take(const void *given, void *to, size_t to_bytes, size_t bytes_min, const char *name,
			struct lk_error *error) __attribute__((warn_unused_result));

#endif
