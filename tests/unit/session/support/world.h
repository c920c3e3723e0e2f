#ifndef LK_TESTS_WORLD_H
#define LK_TESTS_WORLD_H

/* What a session call needs around it: a keyring with known keys, two realms, a clock that the test sets. */

#include "crypto/keyring.h"
#include "session/session.h"

/* "names" and key 1; the same in every run, so that known answers can be written down. */
#define WORLD_KEYRING                                                                                                  \
	"names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"                                                          \
	"1     ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n"
/* The same behind a newer key 2. */
#define WORLD_KEYRING_ROTATED "2     QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n" WORLD_KEYRING
/* Key 1 has been retired. */
#define WORLD_KEYRING_RETIRED                                                                                          \
	"names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"                                                          \
	"2     QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n"

#define WORLD_NOW_MS	  1764000000123ULL
#define WORLD_IDLE_S	  1800
#define WORLD_ABSOLUTE_S  43200
#define WORLD_CAP	  5
#define WORLD_TOMBSTONE_S 600
#define WORLD_GRACE_S	  10
/* Of what is made at WORLD_NOW_MS in the default class. */
#define WORLD_DEADLINE_MS (WORLD_NOW_MS / 1000 * 1000 + WORLD_ABSOLUTE_S * 1000ULL)

struct world {
	keyring *keys;
	struct session_class classes[3]; /* default (evicts); remember: long, 50 at most; strict: refuses at the cap */
	struct session_class other_classes[1];
	struct realm realm_list[2];
	struct realms realms;
	struct plan_env env; /* realm "default", a new arena */
};

keyring *keyring_of_text(const char *text);

void world_start(struct world *w);
void world_stop(struct world *w);
/* A new arena, no idempotency key. Results of earlier calls are gone. */
void world_fresh(struct world *w);
void world_use_keyring(struct world *w, const char *text);

#endif
