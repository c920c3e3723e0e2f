#ifndef LK_PLAN_REPLY_H
#define LK_PLAN_REPLY_H

/* Replies of the store: what a script answers is an array that starts with a word. */

#include "plan/plan.h"

/* The word; SPAN_EMPTY when the reply is no such array. */
span reply_word(const struct store_reply *reply);
/* Element i, if it is there and of this type; else NULL. */
const struct store_reply *reply_element(const struct store_reply *reply, size_t i, enum store_reply_type type);
/* INTERNAL: the reply has another shape than the script or command gives. */
enum status_code reply_odd(struct status *st, const char *asked);

/* Decimal digits only, at most 2^53, up to which scripts count exactly. */
bool number_parse(span text, uint64_t *ret) MUST_CHECK;

#endif
