#ifndef LK_CONFIG_DOCUMENT_H
#define LK_CONFIG_DOCUMENT_H

#include "config/keys.h"
#include "config/origin.h"

/* The file as libcyaml fills it in: every value still text, NULL when it is not set. */

struct document_listener {
	char *values[LISTENER_KEYS];
};

struct document_class {
	char *values[CLASS_KEYS];
};

struct document_tier {
	char *values[TIER_KEYS];
};

struct document_realm {
	char *name;
	char *values[REALM_KEYS];
	struct document_class *classes;
	uint32_t classes_count;
	struct document_tier *tiers;
	uint32_t tiers_count;
};

struct document {
	char *values[CONFIG_KEYS];
	struct document_listener *listen;
	uint32_t listen_count;
	struct document_realm *realms;
	uint32_t realms_count;
};

/* text has passed outline_read. */
bool document_load(const struct origins *o, span text, struct document **ret, struct config_error *error) MUST_CHECK;

/* Nulls *d; accepts NULL in it. */
void document_free(struct document **d);

#endif
