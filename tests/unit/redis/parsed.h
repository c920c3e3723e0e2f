#ifndef LK_TESTS_REDIS_PARSED_H
#define LK_TESTS_REDIS_PARSED_H

#include "store/store.h"

/* Calls `look` with the one reply that the RESP text is; fails the test when it is not exactly one. */
void parsed(const char *resp, void (*look)(void *owner, const struct store_reply *reply), void *owner);

#endif
