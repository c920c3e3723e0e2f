#include "tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config/url.h"

/* Three paths and a sentence, in a status of 200 bytes. */
#define SHOWN "%.40s"

static struct wire_tls_options options_of_listener(const struct config_listener *l)
{
	return (struct wire_tls_options){
	    .ca_file = l->tls.client_ca, .cert_file = l->tls.cert, .key_file = l->tls.key, .is_server = true};
}

static struct wire_tls_options options_of_redis(const struct config *c)
{
	return (struct wire_tls_options){.ca_file = c->redis.tls_ca,
					 .cert_file = c->redis.tls_cert,
					 .key_file = c->redis.tls_key,
					 .server_name = c->redis.tls_server_name};
}

/* False, and errno: it cannot be opened. */
static bool opens(const char *path)
{
	const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return path == NULL || fd >= 0;
}

static enum status_code explain(const struct wire_tls_options *o, const char *of, enum wire_error err,
				struct status *st)
{
	const char *const files[] = {o->ca_file, o->cert_file, o->key_file};
	const char *key = o->key_file == NULL ? "none" : o->key_file;
	const char *cert = o->cert_file == NULL ? "none" : o->cert_file;
	const char *ca = o->ca_file == NULL ? "none" : o->ca_file;

	if (err != WIRE_TLS)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: %s", of, wire_error_text(err));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!opens(files[i]))
			return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot read %s: %s", of, files[i],
					  strerror(errno));
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "%s: one of these is no PEM file, or the key is not the certificate's: certificate " SHOWN
			  ", key " SHOWN ", CA " SHOWN,
			  of, cert, key, ca);
}

static enum status_code load(const struct wire_tls_options *o, const char *of, wire_tls **ret, struct status *st)
{
	const enum wire_error err = wire_tls_new(o, ret);

	return err == WIRE_OK ? STATUS_OK : explain(o, of, err, st);
}

static enum status_code renew(const struct wire_tls_options *o, const char *of, wire_tls *tls, bool *ret_is_new,
			      struct status *st)
{
	const enum wire_error err = wire_tls_reload(tls, ret_is_new);

	return err == WIRE_OK ? STATUS_OK : explain(o, of, err, st);
}

enum status_code tls_files_load_listener(const struct config_listener *l, wire_tls **ret, struct status *st)
{
	const struct wire_tls_options o = options_of_listener(l);

	return l->tls.cert == NULL ? STATUS_OK : load(&o, l->url, ret, st);
}

enum status_code tls_files_load_redis(const struct config *c, wire_tls **ret, struct status *st)
{
	const struct wire_tls_options o = options_of_redis(c);

	return redis_url_is_tls(c->redis.url) ? load(&o, "redis", ret, st) : STATUS_OK;
}

enum status_code tls_files_reload_listener(const struct config_listener *l, wire_tls *tls, bool *ret_is_new,
					   struct status *st)
{
	const struct wire_tls_options o = options_of_listener(l);

	return renew(&o, l->url, tls, ret_is_new, st);
}

enum status_code tls_files_reload_redis(const struct config *c, wire_tls *tls, bool *ret_is_new, struct status *st)
{
	const struct wire_tls_options o = options_of_redis(c);

	return renew(&o, "redis", tls, ret_is_new, st);
}
