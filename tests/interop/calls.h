#ifndef LK_INTEROP_CALLS_H
#define LK_INTEROP_CALLS_H

#include "interop/stock.h"
#include "support/sessions.h"

/* The service's calls over a stock REQ context. Any thread: codes are returned, never judged; no answer at all is
 * CODE_NO_REPLY. */

/* 0, nng's error, or -1 when the answer is no ReplyFrame. The caller frees with raw_free. */
int frame_exchange(nng_ctx ctx, const struct raw_call *calls, size_t count, Latchkey__V1__ReplyFrame **ret);

struct verdict {
	Latchkey__V1__Verdict verdict;
	Latchkey__V1__Reason reason;
	char user[64];
};

Latchkey__V1__Code health_over(nng_ctx ctx, Latchkey__V1__ServingStatus *ret);
Latchkey__V1__Code create_over(nng_ctx ctx, const char *user, const char *idempotency_key,
			       char ret_token[static TOKEN_BYTES]);
Latchkey__V1__Code get_over(nng_ctx ctx, const char *token, struct verdict *ret);
Latchkey__V1__Code revoke_over(nng_ctx ctx, const char *token, bool *ret_was_alive);
/* How many sessions the user has. */
Latchkey__V1__Code count_over(nng_ctx ctx, const char *user, size_t *ret);

/* What a Reply holds, where its code is OK. */
void token_of(const Latchkey__V1__Reply *reply, char ret_token[static TOKEN_BYTES]);
void verdict_of(const Latchkey__V1__Reply *reply, struct verdict *ret);

/* A stock_work: creates a session, finds it, ends it and finds it dead, *arg (an unsigned) times. */
bool work_session_lives(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES]);
#define CALLS_OF_A_LIFE 4

#endif
