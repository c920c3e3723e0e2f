#include "reload.h"

#include <unistd.h>

#include "base/log.h"
#include "keyring_file.h"
#include "tls_files.h"

static void log_change(void *owner, const char *path, bool is_reloadable)
{
	(void)owner;
	if (is_reloadable)
		log_event(LOG_INFO, "config_reloaded", LOG_STR("key", path));
	else
		log_event(LOG_WARN, "config_needs_restart", LOG_STR("key", path));
}

/* The configuration in force stays the one of the start, but for the one reloadable key. */
static unsigned reload_config(const struct reload *r)
{
	struct config *new = NULL;
	struct config_error error;

	if (!config_load(r->config->file, environ, &new, &error)) {
		log_event(LOG_ERROR, "config_refused", LOG_STR("text", error.text));
		return 1;
	}
	log_set_level((enum log_level) new->log_level);
	log_event(LOG_INFO, "config_read", LOG_STR("file", new->file == NULL ? "none" : new->file));
	config_compare(r->config, new, log_change, NULL);
	r->config->log_level = new->log_level;
	config_free(&new);
	return 0;
}

static unsigned reload_keyring(const struct reload *r)
{
	return keyring_file_reload(r->config, r->keys, r->rpc) ? 0 : 1;
}

static unsigned reload_callers(const struct reload *r)
{
	callers *new = NULL;
	struct status st;

	if (*r->callers == NULL)
		return 0;
	if (callers_load(r->config->credentials, &new, &st) != STATUS_OK) {
		log_event(LOG_ERROR, "credentials_refused", LOG_STR("text", st.text),
			  LOG_STR("advice", "those that were read before stay in force"));
		return 1;
	}
	rpc_server_use_callers(r->rpc, new);
	log_event(LOG_INFO, "credentials_reloaded", LOG_STR("file", r->config->credentials),
		  LOG_UINT("callers", callers_count(new)));
	callers_release(r->callers);
	*r->callers = new;
	return 0;
}

static unsigned refuse_certificates(const struct status *st)
{
	log_event(LOG_ERROR, "certificates_refused", LOG_STR("text", st->text),
		  LOG_STR("advice", "those that were read before stay in force"));
	return 1;
}

static unsigned report_certificates(const char *of, bool is_new)
{
	log_event(LOG_INFO, is_new ? "certificates_reloaded" : "certificates_unchanged", LOG_STR("of", of));
	return 0;
}

static unsigned reload_listeners(const struct reload *r)
{
	unsigned refused = 0;

	for (size_t i = 0; i < r->config->listener_count; i++) {
		const struct config_listener *l = &r->config->listeners[i];
		wire_tls *tls = r->listener_tls[i];
		struct status st;
		bool is_new;

		if (tls == NULL)
			continue;
		if (tls_files_reload_listener(l, tls, &is_new, &st) != STATUS_OK ||
		    (is_new && rpc_server_renew(r->rpc, i, tls, &st) != STATUS_OK))
			refused += refuse_certificates(&st);
		else
			refused += report_certificates(l->url, is_new);
	}
	return refused;
}

/* For connections that are opened from now on. */
static unsigned reload_redis(const struct reload *r)
{
	struct status st;
	bool is_new;

	if (r->redis_tls == NULL)
		return 0;
	if (tls_files_reload_redis(r->config, r->redis_tls, &is_new, &st) != STATUS_OK)
		return refuse_certificates(&st);
	return report_certificates("redis", is_new);
}

/* The log level first, so that what follows is logged by it. None waits for another to succeed: all files are the ones
 * that were named at the start. */
static unsigned (*const steps[])(const struct reload *r) = {
    reload_config, reload_keyring, reload_callers, reload_listeners, reload_redis,
};

unsigned reload(const struct reload *r)
{
	unsigned refused = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		refused += steps[i](r);
	return refused;
}
