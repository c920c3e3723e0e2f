#ifndef LK_SUPPORT_LATCHKEYD_H
#define LK_SUPPORT_LATCHKEYD_H

#include "support/netns.h"
#include "support/process.h"
#include "support/tmpdir.h"

#define LATCHKEYD_ENV_MAX 8

struct latchkeyd;

struct latchkeyd_options {
	const char *redis_url;		    /* NULL: embedded: */
	const char *config;		    /* YAML; NULL: all defaults */
	const char *listen_url;		    /* NULL: a free port on loopback; "": what config says */
	const char *env[LATCHKEYD_ENV_MAX]; /* "LATCHKEY_X=value" */
	const struct netns_host *host;	    /* where it runs; must live as long; NULL: here */
	const struct latchkeyd
	    *keyring_of; /* another instance, whose keyring it uses, in the state folder; NULL: its own */
	bool has_admin;	 /* an admin listener on a free port; else it has none, for many run beside one another */
};

/* The real service, with config, state, keyring and log in a folder of its own. */
struct latchkeyd {
	struct latchkeyd_options options;
	struct tmpdir dir;
	struct process process;
	char config[TMPDIR_FILE_BYTES];
	char state[TMPDIR_FILE_BYTES];
	char log[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16]; /* where it listens; kept over a restart */
	char admin_url[64];		  /* of the run under way; "": none */
	size_t log_start;		  /* of that, in the log */
};

void latchkeyd_init(struct latchkeyd *d, const struct latchkeyd_options *options);

/* Starts and waits until it listens. Again after a stop or kill: same folder, same address. */
void latchkeyd_start(struct latchkeyd *d);

/* Starts and waits until its health is SERVING: its Redis is there. */
void latchkeyd_start_serving(struct latchkeyd *d);

/* The health RPC: SERVING? False also when nobody answers. */
bool latchkeyd_is_serving(const struct latchkeyd *d);

/* SIGTERM; fails the test unless it ends with exit status 0. */
void latchkeyd_stop(struct latchkeyd *d);

/* Kills what is left and removes the folder. Accepts a zeroed one. */
void latchkeyd_remove(struct latchkeyd *d);

/* Stops and removes it. */
void latchkeyd_end(struct latchkeyd *d);

/* Everything logged so far, by earlier runs too; the caller frees. */
char *latchkeyd_log(const struct latchkeyd *d);

/* Runs it to the end, as for --check-config or a start that must fail: argv behind the program's name, NULL-terminated. */
void latchkeyd_run(const char *const *args, const char *const *env, struct run_result *ret);

#endif
