#ifndef LK_CLIENT_LOADER_H
#define LK_CLIENT_LOADER_H

#include "latchkey/auth.h"

struct lk_auth_load {
	struct lk_bytes subject;
	struct lk_bytes key;
	uint64_t deadline_ms;
	uint32_t ttl_ms; /* 0: not said */
	bool is_given;
	bool is_none;
	char *answer; /* loader_clear wipes and frees it */
	size_t answer_bytes;
};

/* Until then; 0: it is over. */
uint32_t loader_left_ms(uint64_t deadline_ms);

enum lk_err loader_run(lk_auth_load *load, lk_auth_loader loader, void *arg, struct lk_error *error)
    __attribute__((warn_unused_result));
/* What a run that ended with LK_OK has given. NULL when memory is out. */
lk_auth_answer *loader_answer(const lk_auth_load *load, uint64_t expires_at_ms) __attribute__((warn_unused_result));
void loader_clear(lk_auth_load *load);

#endif
