#ifndef LK_CONFIG_KEYS_H
#define LK_CONFIG_KEYS_H

/* The tables of keys, and the way between a value's text (in file, environment, default) and its place in a struct. */

#include "config/config.h"

enum key_type { KEY_TEXT, KEY_U32, KEY_WORD, KEY_OCTAL };

#define KEY_REQUIRED   1U
#define KEY_SECRET     2U
#define KEY_RELOADABLE 4U

struct config_key {
	const char *section; /* NULL: none */
	const char *name;    /* in its section */
	const char *path;    /* section and name */
	enum key_type type;
	size_t offset;		  /* in the struct that it belongs to */
	const char *default_text; /* NULL: not set */
	uint32_t min;		  /* of a TEXT: 0 */
	uint32_t max;		  /* of a TEXT: bytes */
	const char *unit;	  /* NULL: none */
	const char *const *words; /* of a WORD; its value is the place in the list, which a NULL ends */
	unsigned flags;
	const char *doc;
};

struct config_section {
	const char *name;
	const char *doc;
};

enum key_id {
#define SECTION(name, doc)
#define END(name)
#define TEXT(section, name, ...) KEY_##section##_##name,
#define U32(section, name, ...)	 KEY_##section##_##name,
#define TOP(doc)
#define TOP_TEXT(name, ...) KEY_##name,
#define TOP_WORD(name, ...) KEY_##name,
#define TOP_END
#include "config/config.def"
#undef SECTION
#undef END
#undef TEXT
#undef U32
#undef TOP
#undef TOP_TEXT
#undef TOP_WORD
#undef TOP_END
	CONFIG_KEYS
};

enum listener_key {
	LISTENER_URL,
	LISTENER_TLS_CERT,
	LISTENER_TLS_KEY,
	LISTENER_TLS_CLIENT_CA,
	LISTENER_IPC_MODE,
	LISTENER_KEYS
};
enum realm_key {
	REALM_WAIT_REPLICAS,
	REALM_WAIT_MS,
	REALM_EVENTS,
	REALM_AUTH_TTL,
	REALM_AUTH_NEGATIVE_TTL,
	REALM_AUTH_STALE,
	REALM_AUTH_JITTER,
	REALM_AUTH_LEASE,
	REALM_AUTH_EARLY,
	REALM_VISITORS_HOURS,
	REALM_VISITORS_DAYS,
	REALM_PROFILES_JITTER,
	REALM_PROFILES_CHANGES,
	REALM_PROFILES_CHANGES_MAX,
	REALM_KEYS
};
enum tier_key { TIER_NAME, TIER_TTL, TIER_KEYS };
enum class_key {
	CLASS_NAME,
	CLASS_IDLE,
	CLASS_ABSOLUTE,
	CLASS_SESSIONS,
	CLASS_AT_CAP,
	CLASS_TOMBSTONE,
	CLASS_TOUCH,
	CLASS_GRACE,
	CLASS_PRIVILEGED,
	CLASS_KEYS
};

extern const struct config_key config_keys[CONFIG_KEYS];     /* of struct config */
extern const struct config_key listener_keys[LISTENER_KEYS]; /* of struct config_listener */
extern const struct config_key realm_keys[REALM_KEYS];	     /* of struct config_realm; its name is apart */
extern const struct config_key tier_keys[TIER_KEYS];	     /* of struct config_tier */
extern const struct config_key class_keys[CLASS_KEYS];	     /* of struct config_class */
/* In the file's order, ended by a NULL name. */
extern const struct config_section config_sections[];

#define KEY_ENV_BYTES 64
/* "redis.url" -> "LATCHKEY_REDIS_URL" */
void key_env_name(const char *path, char out[static KEY_ENV_BYTES]);

/* What a message about a value says: found and allowed. */
#define KEY_MESSAGE_BYTES 400

/* Parses text into its place in base; strings are copied to memory. On failure base is untouched and out says what was
 * found and what is allowed. */
bool key_parse(const struct config_key *key, const char *text, arena *memory, void *base,
	       char out[static KEY_MESSAGE_BYTES]) MUST_CHECK;

/* "1..16 connections", "debug, info, warn or error", "up to 253 bytes" */
void key_describe_allowed(const struct config_key *key, char *out, size_t len);

const char *key_text(const struct config_key *key, const void *base);
uint32_t key_number(const struct config_key *key, const void *base);

/* Text for people: at most 60 bytes of it, in quotes, control characters replaced. */
#define KEY_QUOTED_BYTES 72
void key_quote(const char *text, char out[static KEY_QUOTED_BYTES]);

#endif
