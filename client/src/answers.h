#ifndef LK_CLIENT_ANSWERS_H
#define LK_CLIENT_ANSWERS_H

/* How the answers of profiles, visitors, the auth cache, limits and locks become results: for the table of methods. */

#include <protobuf-c/protobuf-c.h>

#include "error.h"
#include "results.h"

typedef enum lk_err (*answer_fn)(const ProtobufCMessage *message, struct results *results, struct lk_error *error);

#define ANSWER(name)                                                                                                   \
	enum lk_err answer_##name(const ProtobufCMessage *message, struct results *results, struct lk_error *error)

ANSWER(profile_put);
ANSWER(profile_get);
ANSWER(profile_update);
ANSWER(profile_delete);
ANSWER(profile_changes);
ANSWER(profile_ack);
ANSWER(profile_dead);
ANSWER(visitors_record);
ANSWER(visitors_count);
ANSWER(auth_lookup);
ANSWER(auth_fill);
ANSWER(auth_forget);
ANSWER(limit_check);
ANSWER(limit_reset);
ANSWER(lock_acquire);
ANSWER(lock_extend);
ANSWER(lock_release);

uint64_t version_of_profile_put(const ProtobufCMessage *message);
uint64_t version_of_profile_update(const ProtobufCMessage *message);

#endif
