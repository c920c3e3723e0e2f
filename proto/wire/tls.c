/* TLS settings. The PEM texts are kept: nng takes the expected server name from the settings, not from the connection,
 * so a client that dials several hosts needs one nng configuration for each. Those are made when first needed and kept,
 * up to HOSTS_MAX of them. A reload replaces texts and configurations; connections hold the configuration that they
 * began with. `lock` guards texts and list. */

#include "wire/tls.h"

#include <assert.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/private.h"
#include "wire/trial.h"

/* A bundle of all public authorities is about 220 KB. */
#define PEM_BYTES_MAX (1024L * 1024L)

/* Nodes of one Redis cluster or endpoints of one client; connections to more hosts parse the files' text again. */
#define HOSTS_MAX 16

/* Paths, or what is in the files; NULL: not given. */
struct pems {
	char *ca;
	char *cert;
	char *key;
};

struct wire_tls {
	atomic_uint refs;
	bool is_server;
	struct pems paths;
	struct pems texts;
	char *server_name;
	pthread_mutex_t lock;
	unsigned count;
	struct {
		char *host; /* NULL: a server's, or server_name's */
		nng_tls_config *config;
	} made[HOSTS_MAX];
};

static char *read_stream(FILE *f)
{
	char *text;
	long size;

	if (fseek(f, 0, SEEK_END) != 0)
		return NULL;
	size = ftell(f);
	if (size <= 0 || size > PEM_BYTES_MAX || fseek(f, 0, SEEK_SET) != 0)
		return NULL;
	text = calloc(1, (size_t)size + 1);
	if (text != NULL && fread(text, 1, (size_t)size, f) != (size_t)size) {
		explicit_bzero(text, (size_t)size);
		free(text);
		return NULL;
	}
	return text;
}

/* True when there is no path, or its text is in *ret. */
static bool read_pem(const char *path, char **ret)
{
	FILE *f;

	if (path == NULL)
		return true;
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	/* No copy of a private key stays behind in a freed stdio buffer. */
	setvbuf(f, NULL, _IONBF, 0);
	*ret = read_stream(f);
	fclose(f);
	return *ret != NULL;
}

static void wipe(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

static void clear_pems(struct pems *p)
{
	free(p->ca);
	free(p->cert);
	wipe(p->key);
	*p = (struct pems){0};
}

static bool read_pems(const struct pems *paths, struct pems *ret)
{
	return read_pem(paths->ca, &ret->ca) && read_pem(paths->cert, &ret->cert) && read_pem(paths->key, &ret->key);
}

static void forget_made(wire_tls *tls)
{
	for (unsigned i = 0; i < tls->count; i++) {
		free(tls->made[i].host);
		nng_tls_config_free(tls->made[i].config);
	}
	tls->count = 0;
}

static void free_tls(wire_tls *tls)
{
	forget_made(tls);
	clear_pems(&tls->paths);
	clear_pems(&tls->texts);
	free(tls->server_name);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

static int fill(const struct pems *texts, const char *host, nng_tls_config *config)
{
	nng_tls_auth_mode auth = texts->ca != NULL ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE;
	int rv;

	rv = nng_tls_config_version(config, NNG_TLS_1_2, NNG_TLS_1_3);
	if (rv == 0)
		rv = nng_tls_config_auth_mode(config, auth);
	if (rv == 0 && texts->ca != NULL)
		rv = nng_tls_config_ca_chain(config, texts->ca, NULL);
	if (rv == 0 && texts->cert != NULL)
		rv = nng_tls_config_own_cert(config, texts->cert, texts->key, NULL);
	if (rv == 0 && host != NULL)
		rv = nng_tls_config_server_name(config, host);
	return rv;
}

static enum wire_error make(const wire_tls *tls, const struct pems *texts, const char *host, nng_tls_config **ret)
{
	nng_tls_config *config;
	int rv = nng_tls_config_alloc(&config, tls->is_server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT);

	if (rv != 0)
		return rv == NNG_ENOMEM ? WIRE_NO_MEMORY : WIRE_TLS;
	rv = fill(texts, host, config);
	if (rv != 0) {
		nng_tls_config_free(config);
		return rv == NNG_ENOMEM ? WIRE_NO_MEMORY : WIRE_TLS;
	}
	*ret = config;
	return WIRE_OK;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void keep_locked(wire_tls *tls, const char *host, nng_tls_config *config)
{
	char *copy = NULL;

	if (tls->count == HOSTS_MAX)
		return;
	if (host != NULL) {
		copy = strdup(host);
		if (copy == NULL)
			return;
	}
	nng_tls_config_hold(config);
	tls->made[tls->count].host = copy;
	tls->made[tls->count].config = config;
	tls->count++;
}

enum wire_error wire_tls_config(wire_tls *tls, const char *host, nng_tls_config **ret)
{
	enum wire_error err = WIRE_OK;
	nng_tls_config *config = NULL;

	if (tls->is_server != (host == NULL))
		return WIRE_TLS;
	if (tls->server_name != NULL)
		host = tls->server_name;
	pthread_mutex_lock(&tls->lock);
	for (unsigned i = 0; i < tls->count && config == NULL; i++) {
		if (same_text(tls->made[i].host, host)) {
			config = tls->made[i].config;
			nng_tls_config_hold(config);
		}
	}
	if (config == NULL) {
		err = make(tls, &tls->texts, host, &config);
		if (err == WIRE_OK)
			keep_locked(tls, host, config);
	}
	pthread_mutex_unlock(&tls->lock);
	if (err == WIRE_OK)
		*ret = config;
	return err;
}

static bool is_complete(const struct wire_tls_options *o)
{
	const bool needs_cert = o->is_server || o->cert_file != NULL || o->key_file != NULL;

	if (needs_cert && (o->cert_file == NULL || o->key_file == NULL))
		return false;
	/* A client that verifies nobody is no client of TLS. */
	return o->is_server || o->ca_file != NULL;
}

static bool copy_text(const char *from, char **to)
{
	if (from == NULL)
		return true;
	*to = strdup(from);
	return *to != NULL;
}

static bool copy_options(const struct wire_tls_options *from, wire_tls *to)
{
	to->is_server = from->is_server;
	return copy_text(from->ca_file, &to->paths.ca) && copy_text(from->cert_file, &to->paths.cert) &&
	       copy_text(from->key_file, &to->paths.key) &&
	       (from->is_server || copy_text(from->server_name, &to->server_name));
}

/* Whether its key belongs to a server's certificate. */
static enum wire_error try_server(const wire_tls *tls, const struct pems *texts)
{
	const struct pems own = {.cert = texts->cert, .key = texts->key};
	nng_tls_config *config = NULL;
	enum wire_error err = make(tls, &own, NULL, &config);

	if (err != WIRE_OK)
		return err;
	err = trial_passes(config) ? WIRE_OK : WIRE_TLS;
	nng_tls_config_free(config);
	return err;
}

/* What is wrong with the files is found now and not at the first connection. */
static enum wire_error read_and_try(const wire_tls *tls, struct pems *ret)
{
	nng_tls_config *probe = NULL;
	struct pems texts = {0};
	enum wire_error err = read_pems(&tls->paths, &texts) ? WIRE_OK : WIRE_TLS;

	if (err == WIRE_OK)
		err = make(tls, &texts, tls->server_name, &probe);
	if (err != WIRE_OK) {
		clear_pems(&texts);
		return err;
	}
	nng_tls_config_free(probe);
	if (tls->is_server)
		err = try_server(tls, &texts);
	if (err == WIRE_OK)
		*ret = texts;
	else
		clear_pems(&texts);
	return err;
}

enum wire_error wire_tls_new(const struct wire_tls_options *options, wire_tls **ret)
{
	enum wire_error err = WIRE_NO_MEMORY;
	wire_tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return WIRE_NO_MEMORY;
	atomic_init(&tls->refs, 1);
	pthread_mutex_init(&tls->lock, NULL);
	if (copy_options(options, tls))
		err = is_complete(options) ? read_and_try(tls, &tls->texts) : WIRE_TLS;
	if (err != WIRE_OK) {
		free_tls(tls);
		return err;
	}
	*ret = tls;
	return WIRE_OK;
}

static bool same_pems(const struct pems *a, const struct pems *b)
{
	return same_text(a->ca, b->ca) && same_text(a->cert, b->cert) && same_text(a->key, b->key);
}

enum wire_error wire_tls_reload(wire_tls *tls, bool *ret_is_new)
{
	struct pems texts = {0};
	enum wire_error err = read_and_try(tls, &texts);
	struct pems old;

	if (err != WIRE_OK)
		return err;
	pthread_mutex_lock(&tls->lock);
	*ret_is_new = !same_pems(&tls->texts, &texts);
	old = *ret_is_new ? tls->texts : texts;
	if (*ret_is_new) {
		tls->texts = texts;
		forget_made(tls);
	}
	pthread_mutex_unlock(&tls->lock);
	clear_pems(&old);
	return WIRE_OK;
}

void wire_tls_release(wire_tls **held)
{
	wire_tls *tls = *held;

	if (tls == NULL)
		return;
	*held = NULL;
	if (atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) == 1)
		free_tls(tls);
}
