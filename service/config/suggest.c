#include "config/suggest.h"

#include "config/keys.h"

/* Longer names are nobody's typing mistake. */
#define NAME_BYTES_MAX 64
/* Edits from which on two names have nothing to do with one another. */
#define EDITS_MAX 3

static const char *const list_paths[] = {"listen",
					 "listen[].url",
					 "listen[].tls",
					 "listen[].tls.cert",
					 "listen[].tls.key",
					 "listen[].tls.client_ca",
					 "listen[].ipc_mode",
					 "realms",
					 "realms[].name",
					 "realms[].wait_replicas",
					 "realms[].wait_ms",
					 "realms[].events",
					 "realms[].profiles",
					 "realms[].profiles.jitter_percent",
					 "realms[].profiles.changes",
					 "realms[].profiles.changes_max",
					 "realms[].profiles.tiers",
					 "realms[].profiles.tiers[].name",
					 "realms[].profiles.tiers[].ttl_s",
					 "realms[].classes",
					 NULL};

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	const unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein distance; names of NAME_BYTES_MAX at most. */
static unsigned count_edits(const char *a, const char *b)
{
	const size_t len = strlen(b);
	unsigned row[NAME_BYTES_MAX + 1];

	for (size_t j = 0; j <= len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] != 0; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= len; j++) {
			const unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

struct search {
	const char *wanted;
	unsigned best;
	char *out;
};

/* The beginning of a name counts as one edit: redis.password for redis.password_file. */
static void consider(struct search *s, const char *name)
{
	unsigned edits = EDITS_MAX + 1;

	if (strlen(s->wanted) <= NAME_BYTES_MAX && strlen(name) <= NAME_BYTES_MAX)
		edits = count_edits(s->wanted, name);
	if (edits > 1 && strlen(s->wanted) > 3 && strncmp(name, s->wanted, strlen(s->wanted)) == 0)
		edits = 1;
	if (edits >= s->best)
		return;
	s->best = edits;
	snprintf(s->out, ORIGIN_PATH_BYTES, "%s", name);
}

/* "realms[12].name" -> "realms[].name" */
static void drop_indexes(const char *path, char *out, size_t len)
{
	size_t n = 0;

	for (bool inside = false; *path != 0 && n + 1 < len; path++) {
		inside = inside && *path != ']';
		if (!inside)
			out[n++] = *path;
		inside = inside || *path == '[';
	}
	out[n] = 0;
}

bool suggest_path(const char *path, char out[static ORIGIN_PATH_BYTES])
{
	char plain[ORIGIN_PATH_BYTES];
	char class_path[ORIGIN_PATH_BYTES];
	struct search s = {.wanted = plain, .best = EDITS_MAX + 1, .out = out};

	drop_indexes(path, plain, sizeof(plain));
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		consider(&s, config_keys[i].path);
	for (size_t i = 0; config_sections[i].name != NULL; i++)
		consider(&s, config_sections[i].name);
	for (size_t i = 0; list_paths[i] != NULL; i++)
		consider(&s, list_paths[i]);
	for (size_t i = 0; i < CLASS_KEYS; i++) {
		snprintf(class_path, sizeof(class_path), "realms[].classes[].%s", class_keys[i].path);
		consider(&s, class_path);
	}
	return s.best <= EDITS_MAX;
}

bool suggest_variable(const char *variable, char out[static ORIGIN_PATH_BYTES])
{
	struct search s = {.wanted = variable, .best = EDITS_MAX + 1, .out = out};
	char name[KEY_ENV_BYTES];

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		key_env_name(config_keys[i].path, name);
		consider(&s, name);
	}
	consider(&s, "LATCHKEY_LISTEN");
	return s.best <= EDITS_MAX;
}
