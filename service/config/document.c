/* Design note. The schema takes every scalar as optional text: what a value may be, key_parse says, for the file as for
 * the environment. So libcyaml finds two kinds of mistakes, an unknown key and a value of the wrong shape, and tells them
 * by log lines only: the sentence first, then a backtrace from the innermost mapping or sequence outwards. The path is
 * put together from that, and the place looked up among the origins. */

#include "config/document.h"

#include <assert.h>
#include <cyaml/cyaml.h>
#include <stdlib.h>

#include "config/suggest.h"

#define OPTIONAL_TEXT (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define FIELD_OF(owner, name, index)                                                                                   \
	CYAML_FIELD_STRING_PTR(name, OPTIONAL_TEXT, struct owner, values[index], 0, CYAML_UNLIMITED)

#define FIELD_SECTION(section)                                                                                         \
	{.key = #section,                                                                                              \
	 .data_offset = 0,                                                                                             \
	 .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct document, section##_fields)}},

static const cyaml_schema_field_t tls_fields[] = {
    FIELD_OF(document_listener, "cert", LISTENER_TLS_CERT), FIELD_OF(document_listener, "key", LISTENER_TLS_KEY),
    FIELD_OF(document_listener, "client_ca", LISTENER_TLS_CLIENT_CA), CYAML_FIELD_END};

static const cyaml_schema_field_t listener_fields[] = {
    FIELD_OF(document_listener, "url", LISTENER_URL),
    {.key = "tls",
     .data_offset = 0,
     .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct document_listener, tls_fields)}},
    FIELD_OF(document_listener, "ipc_mode", LISTENER_IPC_MODE),
    CYAML_FIELD_END};

static const cyaml_schema_field_t class_fields[] = {FIELD_OF(document_class, "name", CLASS_NAME),
						    FIELD_OF(document_class, "idle_timeout_s", CLASS_IDLE),
						    FIELD_OF(document_class, "absolute_timeout_s", CLASS_ABSOLUTE),
						    FIELD_OF(document_class, "sessions_max", CLASS_SESSIONS),
						    FIELD_OF(document_class, "at_cap", CLASS_AT_CAP),
						    FIELD_OF(document_class, "tombstone_s", CLASS_TOMBSTONE),
						    FIELD_OF(document_class, "touch_interval_s", CLASS_TOUCH),
						    FIELD_OF(document_class, "grace_s", CLASS_GRACE),
						    FIELD_OF(document_class, "privileged_s", CLASS_PRIVILEGED),
						    CYAML_FIELD_END};

static const cyaml_schema_value_t listener_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_listener, listener_fields)};
static const cyaml_schema_value_t class_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_class, class_fields)};

static const cyaml_schema_field_t tier_fields[] = {FIELD_OF(document_tier, "name", TIER_NAME),
						   FIELD_OF(document_tier, "ttl_s", TIER_TTL), CYAML_FIELD_END};

static const cyaml_schema_value_t tier_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_tier, tier_fields)};

static const cyaml_schema_field_t profiles_fields[] = {
    FIELD_OF(document_realm, "jitter_percent", REALM_PROFILES_JITTER),
    FIELD_OF(document_realm, "changes", REALM_PROFILES_CHANGES),
    FIELD_OF(document_realm, "changes_max", REALM_PROFILES_CHANGES_MAX),
    CYAML_FIELD_SEQUENCE("tiers", OPTIONAL_TEXT, struct document_realm, tiers, &tier_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_field_t auth_fields[] = {FIELD_OF(document_realm, "ttl_s", REALM_AUTH_TTL),
						   FIELD_OF(document_realm, "negative_ttl_s", REALM_AUTH_NEGATIVE_TTL),
						   FIELD_OF(document_realm, "stale_s", REALM_AUTH_STALE),
						   FIELD_OF(document_realm, "jitter_percent", REALM_AUTH_JITTER),
						   FIELD_OF(document_realm, "lease_ms", REALM_AUTH_LEASE),
						   FIELD_OF(document_realm, "early_percent", REALM_AUTH_EARLY),
						   CYAML_FIELD_END};
static const cyaml_schema_field_t visitors_fields[] = {
    FIELD_OF(document_realm, "hour_retention_h", REALM_VISITORS_HOURS),
    FIELD_OF(document_realm, "day_retention_d", REALM_VISITORS_DAYS), CYAML_FIELD_END};

static const cyaml_schema_field_t realm_fields[] = {
    CYAML_FIELD_STRING_PTR("name", OPTIONAL_TEXT, struct document_realm, name, 0, CYAML_UNLIMITED),
    FIELD_OF(document_realm, "wait_replicas", REALM_WAIT_REPLICAS),
    FIELD_OF(document_realm, "wait_ms", REALM_WAIT_MS),
    FIELD_OF(document_realm, "events", REALM_EVENTS),
    {.key = "profiles",
     .data_offset = 0,
     .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct document_realm, profiles_fields)}},
    {.key = "auth",
     .data_offset = 0,
     .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct document_realm, auth_fields)}},
    {.key = "visitors",
     .data_offset = 0,
     .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct document_realm, visitors_fields)}},
    CYAML_FIELD_SEQUENCE("classes", OPTIONAL_TEXT, struct document_realm, classes, &class_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};

static const cyaml_schema_value_t realm_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_realm, realm_fields)};

/* First each section's fields, then the root's, which close the table. */
#define SECTION(name, doc) static const cyaml_schema_field_t name##_fields[] = {
#define END(name)                                                                                                      \
	CYAML_FIELD_END                                                                                                \
	}                                                                                                              \
	;
#define TEXT(section, name, ...) FIELD_OF(document, #name, KEY_##section##_##name),
#define U32(section, name, ...)	 FIELD_OF(document, #name, KEY_##section##_##name),
#define TOP(doc)		 static const cyaml_schema_field_t top_fields[] = {
#define TOP_TEXT(name, ...)	 FIELD_OF(document, #name, KEY_##name),
#define TOP_WORD(name, ...)	 FIELD_OF(document, #name, KEY_##name),
#define TOP_END                                                                                                        \
	CYAML_FIELD_SEQUENCE("listen", OPTIONAL_TEXT, struct document, listen, &listener_schema, 0, CYAML_UNLIMITED),  \
	    CYAML_FIELD_SEQUENCE("realms", OPTIONAL_TEXT, struct document, realms, &realm_schema, 0, CYAML_UNLIMITED), \
	    FIELD_SECTION(redis) FIELD_SECTION(calls) FIELD_SECTION(connections) FIELD_SECTION(admin)                  \
		FIELD_SECTION(drain) FIELD_SECTION(reload) CYAML_FIELD_END                                             \
	}                                                                                                              \
	;
#include "config/config.def"

static const cyaml_schema_value_t document_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, top_fields)};

/* What the log said, until the end of the load. */
struct report {
	char sentence[KEY_MESSAGE_BYTES];
	char path[ORIGIN_PATH_BYTES];
};

static void put_in_front(struct report *r, const char *head)
{
	char tail[ORIGIN_PATH_BYTES];
	const int room = ORIGIN_PATH_BYTES / 2;

	memcpy(tail, r->path, sizeof(tail));
	snprintf(r->path, sizeof(r->path), "%.*s%s%.*s", room, head, tail[0] == 0 || tail[0] == '[' ? "" : ".",
		 room - 2, tail);
}

/* "  in mapping field 'redis' (line: 1, column: 7)" or "  in sequence entry '2' (...)", counted from 1. */
static void take_backtrace(struct report *r, const char *line)
{
	const char *entry = strstr(line, "in sequence entry '");
	char name[ORIGIN_PATH_BYTES];

	if (sscanf(line, " in mapping field '%255[^']'", name) == 1) {
		put_in_front(r, name);
	} else if (entry != NULL) {
		const unsigned long n = strtoul(entry + strlen("in sequence entry '"), NULL, 10);

		snprintf(name, sizeof(name), "[%lu]", n == 0 ? 0 : n - 1);
		put_in_front(r, name);
	}
}

#define UNEXPECTED_KEY "Load: Unexpected key: "
#define EXPECTING      "Load: Expecting "

static void take_log(cyaml_log_t level, void *owner, const char *format, va_list args)
{
	struct report *r = owner;
	char line[KEY_MESSAGE_BYTES];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = 0;
	if (strncmp(line, "  in ", 5) == 0)
		take_backtrace(r, line);
	else if (r->sentence[0] == 0 && strcmp(line, "Load: Backtrace:") != 0)
		memcpy(r->sentence, line, sizeof(line));
	if (strncmp(line, UNEXPECTED_KEY, strlen(UNEXPECTED_KEY)) == 0)
		put_in_front(r, line + strlen(UNEXPECTED_KEY));
}

static const char *shape_name(const char *text)
{
	static const struct {
		const char *word;
		const char *name;
	} shapes[] = {
	    {"MAPPING", "a mapping (key: value)"}, {"SEQUENCE", "a sequence (- entry)"}, {"S", "a single value"}};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strncmp(text, shapes[i].word, strlen(shapes[i].word)) == 0)
			return shapes[i].name;
	return "something else";
}

static bool fail(const struct origins *o, const struct report *r, cyaml_err_t err, struct config_error *error)
{
	const char *event = strstr(r->sentence, "got event: ");
	char near[ORIGIN_PATH_BYTES];

	if (strncmp(r->sentence, UNEXPECTED_KEY, strlen(UNEXPECTED_KEY)) == 0) {
		if (suggest_path(r->path, near))
			return origin_fail(o, error, r->path,
					   "unknown key; did you mean %s? (--print-config shows all)", near);
		return origin_fail(o, error, r->path, "unknown key; latchkeyd --print-config shows all that there are");
	}
	if (strncmp(r->sentence, EXPECTING, strlen(EXPECTING)) == 0 && event != NULL)
		return origin_fail(o, error, r->path, "found %s, allowed: %s",
				   shape_name(event + strlen("got event: ")),
				   shape_name(r->sentence + strlen(EXPECTING)));
	return origin_fail(o, error, r->path, "%s", r->sentence[0] == 0 ? cyaml_strerror(err) : r->sentence);
}

/* libcyaml wants a config that it does not change; the log's owner is the one difference between loads. */
static cyaml_config_t cyaml_settings(struct report *r)
{
	return (cyaml_config_t){.log_fn = r == NULL ? NULL : take_log,
				.log_ctx = r,
				.mem_fn = cyaml_mem,
				.log_level = CYAML_LOG_ERROR,
				.flags = CYAML_CFG_NO_ALIAS};
}

bool document_load(const struct origins *o, span text, struct document **ret, struct config_error *error)
{
	struct report r = {0};
	const cyaml_config_t settings = cyaml_settings(&r);
	cyaml_data_t *data = NULL;
	const cyaml_err_t err = cyaml_load_data(text.ptr, text.len, &settings, &document_schema, &data, NULL);

	if (err != CYAML_OK)
		return fail(o, &r, err, error);
	assert(data != NULL);
	*ret = data;
	return true;
}

void document_free(struct document **d)
{
	const cyaml_config_t settings = cyaml_settings(NULL);

	if (*d == NULL)
		return;
	(void)cyaml_free(&settings, &document_schema, *d, 0);
	*d = NULL;
}
