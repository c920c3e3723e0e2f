#include "config/environment.h"

#include <ctype.h>

#include "config/keys.h"
#include "config/suggest.h"

#define PREFIX "LATCHKEY_"

/* The command's, the client library's and the tests' own. */
static const char *const foreign_names[] = {"LATCHKEY_CONFIG",
					    "LATCHKEY_WELCOME",
					    "LATCHKEY_SERVER",
					    "LATCHKEY_REALM",
					    "LATCHKEY_CREDENTIAL_FILE",
					    "LATCHKEY_TIMEOUT",
					    "LATCHKEY_SERVER_NAME",
					    "LATCHKEY_CA",
					    "LATCHKEY_CERT",
					    "LATCHKEY_KEY",
					    "LATCHKEY_KEEP",
					    NULL};
static const char *const foreign_prefixes[] = {"LATCHKEY_BIN", "LATCHKEY_TEST", "LATCHKEY_BENCH", NULL};

const char *environment_get(char *const *environment, const char *name)
{
	const size_t len = strlen(name);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	return NULL;
}

/* Kubernetes and Docker links announce a service "latchkey" or "latchkey-redis" to its neighbours as
 * LATCHKEY_SERVICE_HOST, LATCHKEY_REDIS_PORT, LATCHKEY_PORT_7373_TCP_ADDR and the like. No key of ours ends so. */
static bool is_service_link(const char *name)
{
	const size_t len = strlen(name);
	const char *port = name;

	if (strstr(name, "_SERVICE_HOST") != NULL || strstr(name, "_SERVICE_PORT") != NULL)
		return true;
	if (len >= 5 && strcmp(name + len - 5, "_PORT") == 0)
		return true;
	while ((port = strstr(port, "_PORT_")) != NULL) {
		port += strlen("_PORT_");
		if (isdigit((unsigned char)*port))
			return true;
	}
	return false;
}

static bool is_foreign(const char *name)
{
	for (size_t i = 0; foreign_names[i] != NULL; i++)
		if (strcmp(name, foreign_names[i]) == 0)
			return true;
	for (size_t i = 0; foreign_prefixes[i] != NULL; i++)
		if (strncmp(name, foreign_prefixes[i], strlen(foreign_prefixes[i])) == 0)
			return true;
	return is_service_link(name);
}

static const struct config_key *find_key(const char *name)
{
	char env[KEY_ENV_BYTES];

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		key_env_name(config_keys[i].path, env);
		if (strcmp(env, name) == 0)
			return &config_keys[i];
	}
	return NULL;
}

static bool fail_unknown(const char *name, struct config_error *error)
{
	char near[ORIGIN_PATH_BYTES];
	char shown[KEY_QUOTED_BYTES];

	key_quote(name, shown);
	if (suggest_variable(name, near))
		snprintf(error->text, sizeof(error->text), "%s in the environment: no such setting; did you mean %s?",
			 shown, near);
	else
		snprintf(error->text, sizeof(error->text),
			 "%s in the environment: no such setting; latchkeyd --print-config shows all that there are",
			 shown);
	return false;
}

static bool apply_key(const struct config_key *key, const char *name, const char *value, struct origins *o,
		      struct config *c, struct config_error *error)
{
	char wrong[KEY_MESSAGE_BYTES];

	if (!origin_add_variable(o, key->path, name))
		return origin_fail(o, error, key->path, "out of memory");
	if (!key_parse(key, value, c->memory, c, wrong))
		return origin_fail(o, error, key->path, "%s", wrong);
	return true;
}

static bool apply_variable(const char *variable, struct origins *o, struct config *c, const char **listen,
			   struct config_error *error)
{
	const size_t len = strcspn(variable, "=");
	const struct config_key *key;
	char name[KEY_ENV_BYTES];

	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), variable);
	if (variable[len] == 0)
		return true;
	if (strcmp(name, "LATCHKEY_LISTEN") == 0) {
		*listen = variable + len + 1;
		return true;
	}
	key = find_key(name);
	if (key != NULL)
		return apply_key(key, name, variable + len + 1, o, c, error);
	return is_foreign(name) || fail_unknown(name, error);
}

bool environment_apply(char *const *environment, struct origins *o, struct config *c, const char **ret_listen,
		       struct config_error *error)
{
	const char *listen = NULL;

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, PREFIX, strlen(PREFIX)) == 0 &&
		    !apply_variable(*environment, o, c, &listen, error))
			return false;
	*ret_listen = listen;
	return true;
}
