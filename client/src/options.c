#include "options.h"

#include <stdlib.h>

#include "error.h"

/* Far beyond any later version's struct: more than this is a size that was never set. */
#define STRUCT_BYTES_MAX 4096

static bool all_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

enum lk_err struct_take(const void *given, void *to, size_t to_bytes, size_t bytes_min, const char *name,
			struct lk_error *error)
{
	size_t given_bytes;

	memset(to, 0, to_bytes);
	if (given == NULL)
		return LK_OK;
	memcpy(&given_bytes, given, sizeof(given_bytes));
	if (given_bytes < bytes_min || given_bytes > STRUCT_BYTES_MAX)
		return error_set(
		    error, LK_E_INVALID_ARGUMENT,
		    "struct_size of struct %s is %zu, not %zu or more: start it with its LK_..._INIT macro", name,
		    given_bytes, bytes_min);
	if (given_bytes > to_bytes && !all_zero((const uint8_t *)given + to_bytes, given_bytes - to_bytes))
		return error_set(error, LK_E_INVALID_ARGUMENT,
				 "struct %s uses fields that liblatchkey %s does not know: use a newer library", name,
				 lk_version());
	memcpy(to, given, given_bytes < to_bytes ? given_bytes : to_bytes);
	return LK_OK;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum lk_err take_endpoint(const char *url, char *to, bool *needs_tls, struct lk_error *error)
{
	static const char *const schemes[] = {"tcp://", "ipc://", "tls+tcp://"};
	const char *rest = NULL;

	for (size_t i = 0; url != NULL && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (starts_with(url, schemes[i]))
			rest = url + strlen(schemes[i]);
	if (rest == NULL || *rest == '\0' || strlen(url) > ENDPOINT_BYTES_MAX)
		return error_set(error, LK_E_INVALID_ARGUMENT,
				 "endpoint \"%.80s\" is not a URL like tcp://host:7373, tls+tcp://host:7373 or "
				 "ipc:///path",
				 url != NULL ? url : "(null)");
	memcpy(to, url, strlen(url) + 1);
	*needs_tls = *needs_tls || starts_with(url, "tls+tcp://");
	return LK_OK;
}

static enum lk_err take_endpoints(const struct lk_options *given, struct options *to, struct lk_error *error)
{
	static const char *const defaults[] = {"tcp://127.0.0.1:7373"};
	const char *const *urls = given->endpoint_count > 0 ? given->endpoints : defaults;
	enum lk_err err;

	to->endpoint_count = given->endpoint_count > 0 ? given->endpoint_count : 1;
	if (to->endpoint_count > LK_ENDPOINTS_MAX)
		return error_set(error, LK_E_INVALID_ARGUMENT, "%zu endpoints, at most %d: put more behind one name",
				 to->endpoint_count, LK_ENDPOINTS_MAX);
	if (urls == NULL)
		return error_set(error, LK_E_INVALID_ARGUMENT, "endpoint_count is %zu but endpoints is NULL",
				 to->endpoint_count);
	to->endpoints = calloc(to->endpoint_count, sizeof(to->endpoints[0]));
	if (to->endpoints == NULL)
		return error_set(error, LK_E_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < to->endpoint_count; i++) {
		err = take_endpoint(urls[i], to->endpoints[i], &to->needs_tls, error);
		if (err != LK_OK)
			return err;
	}
	return LK_OK;
}

static enum lk_err take_text(const char *name, const char *given, size_t max, char *to, struct lk_error *error)
{
	size_t len = given != NULL ? strlen(given) : 0;

	if (len > max)
		return error_set(error, LK_E_INVALID_ARGUMENT, "%s has %zu bytes, at most %zu", name, len, max);
	if (len > 0)
		memcpy(to, given, len + 1);
	return LK_OK;
}

static enum lk_err take_number(const char *name, uint32_t given, uint32_t standard, uint32_t max, uint32_t *to,
			       struct lk_error *error)
{
	if (given > max)
		return error_set(error, LK_E_INVALID_ARGUMENT, "%s is %u, at most %u", name, given, max);
	*to = given > 0 ? given : standard;
	return LK_OK;
}

static enum lk_err take_numbers(const struct lk_options *given, struct options *to, struct lk_error *error)
{
	const struct {
		const char *name;
		uint32_t given, standard, max, *to;
	} rows[] = {
	    {"connect_timeout_ms", given->connect_timeout_ms, CONNECT_TIMEOUT_MS_DEFAULT, LK_TIMEOUT_MS_MAX,
	     &to->connect_timeout_ms},
	    {"call_timeout_ms", given->call_timeout_ms, CALL_TIMEOUT_MS_DEFAULT, LK_TIMEOUT_MS_MAX,
	     &to->call_timeout_ms},
	    {"attempts_max", given->attempts_max, ATTEMPTS_MAX, ATTEMPTS_MAX, &to->attempts_max},
	    {"retry_budget_percent", given->retry_budget_percent, RETRY_BUDGET_PERCENT_DEFAULT, 100,
	     &to->retry_budget_percent},
	    {"in_flight_max", given->in_flight_max, IN_FLIGHT_DEFAULT, LK_IN_FLIGHT_MAX, &to->in_flight_max},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum lk_err err =
		    take_number(rows[i].name, rows[i].given, rows[i].standard, rows[i].max, rows[i].to, error);

		if (err != LK_OK)
			return err;
	}
	return LK_OK;
}

static enum lk_err check_tls(const struct lk_options *given, bool needs_tls, struct lk_error *error)
{
	if (needs_tls && given->tls_ca_file == NULL)
		return error_set(error, LK_E_INVALID_ARGUMENT,
				 "tls+tcp needs tls_ca_file: the PEM file of the authority that signed the server's "
				 "certificate");
	if ((given->tls_cert_file == NULL) != (given->tls_key_file == NULL))
		return error_set(error, LK_E_INVALID_ARGUMENT, "tls_cert_file and tls_key_file go together");
	return LK_OK;
}

enum lk_err options_take(const struct lk_options *given, struct lk_options *ret_given, struct options *ret,
			 struct lk_error *error)
{
	struct lk_options known;
	struct options own = {0};
	enum lk_err err = struct_take(given, &known, sizeof(known), sizeof(known), "lk_options", error);

	if (err != LK_OK)
		return err;
	err = take_endpoints(&known, &own, error);
	if (err == LK_OK)
		err = take_text("realm", known.realm, REALM_BYTES_MAX, own.realm, error);
	if (err == LK_OK)
		err = take_text("credential", known.credential, CREDENTIAL_BYTES_MAX, own.credential, error);
	if (err == LK_OK)
		err = take_numbers(&known, &own, error);
	if (err == LK_OK)
		err = check_tls(&known, own.needs_tls, error);
	if (err != LK_OK) {
		options_clear(&own);
		return err;
	}
	own.fail_fast = known.fail_fast;
	*ret_given = known;
	*ret = own;
	explicit_bzero(own.credential, sizeof(own.credential));
	return LK_OK;
}

void options_clear(struct options *options)
{
	free(options->endpoints);
	explicit_bzero(options, sizeof(*options));
}
