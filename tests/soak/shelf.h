#ifndef LK_SOAK_SHELF_H
#define LK_SOAK_SHELF_H

/* Good sessions of several users, realms, keys and histories, with all that was ever sealed for them in parts and in
 * clear: what is accepted must be made of nothing else. */

#include "session/session.h"
#include "session/token.h"

#define SHELF_SESSIONS	 12
#define SHELF_BASES	 2 /* as created, and as sealed anew under the next key */
#define SHELF_DELTAS	 8 /* behind each base */
#define SHELF_VALUES	 (SHELF_BASES * (SHELF_DELTAS + 1))
#define SHELF_FORWARDS	 12
#define SHELF_ANONYMOUS	 8
#define SHELF_ATTRIBUTES 4

#define SHELF_NOW_MS 1764000000123ULL

/* Of one attribute; no value: it is removed. */
struct change {
	span key;
	span value;
};

struct sealed_delta {
	span bytes;
	struct change change;
};

struct sealed_base {
	span bytes; /* the record as it is without deltas */
	size_t count;
	struct change attributes[SHELF_ATTRIBUTES];
};

struct good {
	const struct realm *realm;
	span class_name;
	span user;
	span token;
	span key; /* in Redis */
	uint8_t id[32];
	size_t base_count;
	struct sealed_base bases[SHELF_BASES];
	size_t delta_count;
	struct sealed_delta deltas[SHELF_BASES * SHELF_DELTAS];
	size_t value_count;
	span values[SHELF_VALUES]; /* every record that was stored */
};

/* From a session that was rotated to its successor. */
struct good_forward {
	const struct good *from;
	span bytes;
	uint8_t successor[TOKEN_BYTES];
};

/* A session inside its token. */
struct good_anonymous {
	const struct realm *realm;
	span token;
	span value; /* of its one attribute */
};

struct shelf {
	arena *arena;
	keyring *keys;
	struct compressor *compressor;
	struct session_class classes[2];
	struct session_class other_classes[1];
	struct realm realm_list[2];
	struct realms realms;
	struct good sessions[SHELF_SESSIONS];
	struct good_forward forwards[SHELF_FORWARDS];
	struct good_anonymous anonymous[SHELF_ANONYMOUS];
};

struct record_place;

/* Ends the program when anything fails. */
void shelf_open(struct shelf *s);
void shelf_close(struct shelf *s);

/* A call in this realm, with this arena. */
struct plan_env shelf_env(const struct shelf *s, const struct realm *realm, arena *a);

/* Where the session is stored, and what opens it. */
struct record_place shelf_place(const struct shelf *s, const struct good *g);

void must(bool condition, const char *what);

#endif
