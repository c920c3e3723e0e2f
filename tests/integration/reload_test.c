/* Files that change under the running service: read again by themselves where that is configured, whatever brings them
 * in; and what cannot be read again is told of. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/certificates.h"
#include "support/cli.h"
#include "support/file.h"
#include "support/http.h"
#include "support/latchkeyd.h"
#include "support/redis_server.h"
#include "support/wait.h"

#define CONFIG_BYTES 2048

/* As Kubernetes shows a Secret: files behind a link to a folder, and a change is another folder behind it. */
struct mount {
	struct tmpdir dir;
	char link[TMPDIR_FILE_BYTES];
	unsigned version;
};

static struct redis_server redis;
static struct latchkeyd service;
static struct mount mount;
static struct tmpdir dir;
static struct certificates files;
static char password[TMPDIR_FILE_BYTES];
static char credential[2][TMPDIR_FILE_BYTES];
static char line[2][CLI_LINE_BYTES];

/* Of the next folder. */
static void mount_put(const struct mount *m, const char *name, const char *text)
{
	char path[2 * TMPDIR_FILE_BYTES];

	(void)snprintf(path, sizeof(path), "%s/%u", m->dir.path, m->version + 1);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/%u/%s", m->dir.path, m->version + 1, name);
	file_write(path, text);
}

static void mount_copy(const struct mount *m, const char *name, const char *from)
{
	char *text = file_read(from, NULL);

	mount_put(m, name, text);
	free(text);
}

static void mount_swap(struct mount *m)
{
	char next[TMPDIR_FILE_BYTES], folder[16];

	(void)snprintf(folder, sizeof(folder), "%u", ++m->version);
	tmpdir_file(&m->dir, "next", next);
	assert_int_equal(symlink(folder, next), 0);
	assert_int_equal(rename(next, m->link), 0);
}

/* All that the service reads of it, with callers' lines. */
static void mount_fill(struct mount *m, const char *callers)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "role all * *\n%s\n", callers);
	mount_put(m, "callers", text);
	mount_copy(m, "tls.crt", files.server);
	mount_copy(m, "tls.key", files.server_key);
	mount_swap(m);
}

/* The credential into its file, the line for the service into the other. */
static void make_caller(unsigned i)
{
	char id[16], text[CLI_LINE_BYTES];

	(void)snprintf(id, sizeof(id), "web-%u", i);
	tmpdir_file(&dir, id, credential[i]);
	cli_new_credential(id, "all", text, line[i]);
	file_write(credential[i], text);
}

static void start(const char *more)
{
	char config[CONFIG_BYTES];

	(void)snprintf(config, sizeof(config),
		       "%s"
		       "listen:\n  - { url: \"tcp://127.0.0.1:0\" }\n"
		       "  - { url: \"tls+tcp://127.0.0.1:0\", tls: { cert: %s/tls.crt, key: %s/tls.key } }\n"
		       "credentials: %s/callers\n"
		       "redis: { password_file: %s }\n",
		       more, mount.link, mount.link, mount.link, password);
	latchkeyd_init(&service, &(struct latchkeyd_options){
				     .redis_url = redis.url, .config = config, .listen_url = "", .has_admin = true});
	latchkeyd_start_serving(&service);
}

static int open_all(void **state)
{
	(void)state;
	tmpdir_make(&dir);
	tmpdir_make(&mount.dir);
	tmpdir_file(&mount.dir, "data", mount.link);
	tmpdir_file(&dir, "password", password);
	file_write(password, "first");
	certificates_make(&files, &dir);
	make_caller(0);
	make_caller(1);
	redis_server_init(&redis, &(struct redis_server_options){.password = "first"});
	redis_server_start(&redis);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	latchkeyd_remove(&service);
	redis_server_remove(&redis);
	tmpdir_remove(&mount.dir);
	tmpdir_remove(&dir);
	return 0;
}

static unsigned logged(const char *what)
{
	char *log = latchkeyd_log(&service);
	unsigned n = 0;

	for (const char *at = log; (at = strstr(at, what)) != NULL; at++)
		n++;
	free(log);
	return n;
}

static bool is_let_in(unsigned i)
{
	struct run_result run;
	bool is_in;

	cli_run(&run, service.url, "--credential-file", credential[i], "info", NULL);
	is_in = run.status == CLI_DONE;
	run_result_free(&run);
	return is_in;
}

static void write_config(const char *old, const char *new)
{
	char *text = file_read(service.config, NULL), *at = strstr(text, old);
	char changed[2 * CONFIG_BYTES];

	assert_non_null(at);
	(void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
	file_write(service.config, changed);
	free(text);
}

static void test_what_changes_is_read_again(void **state)
{
	(void)state;
	mount_fill(&mount, line[0]);
	start("log_level: info\nconnections: { max: 100 }\nreload: { check_ms: 50 }\n");
	assert_true(is_let_in(0));
	assert_false(is_let_in(1));
	/* The keyring was made at this start: that is no change. */
	assert_int_equal(logged(" file_changed "), 0);

	certificates_sign(&files, files.server, files.server_key);
	mount_fill(&mount, line[1]);
	assert_becomes(is_let_in(1), BOUND_MS);
	assert_false(is_let_in(0));
	assert_becomes(logged(" certificates_reloaded ") == 1, BOUND_MS);
	assert_int_equal(logged("_refused "), 0);

	write_config("max: 100", "max: 99");
	assert_becomes(logged(" config_needs_restart key=connections.max") == 1, BOUND_MS);
	write_config("log_level: info", "log_level: debug");
	assert_becomes(logged(" config_reloaded key=log_level") == 1, BOUND_MS);
	file_write(password, "second");
	assert_becomes(logged(" config_needs_restart key=redis.password_file") == 1, BOUND_MS);
	latchkeyd_stop(&service);
	latchkeyd_remove(&service);
}

static double refused_now(void)
{
	struct http_reply page;
	double value = -1;

	http_ask(service.admin_url, "GET", "/metrics", &page);
	(void)metrics_sum(page.body, "latchkey_reload_refused", NULL, &value);
	http_reply_free(&page);
	return value;
}

/* Half a file is refused, and the whole one gets in when it is there. */
static void test_a_mistake_is_mended_by_another_change(void **state)
{
	(void)state;
	file_write(password, "first");
	mount_fill(&mount, line[0]);
	start("reload: { check_ms: 50 }\n");
	mount_fill(&mount, "caller half");
	assert_becomes(logged(" credentials_refused ") == 1, BOUND_MS);
	assert_true(is_let_in(0));
	assert_becomes(refused_now() == 1, BOUND_MS);
	mount_fill(&mount, line[1]);
	assert_becomes(is_let_in(1), BOUND_MS);
	assert_becomes(refused_now() == 0, BOUND_MS);
	latchkeyd_stop(&service);
	latchkeyd_remove(&service);
}

static void hang_up(const char *event)
{
	const unsigned before = logged(event);

	process_signal(&service.process, SIGHUP);
	assert_becomes(logged(event) > before, BOUND_MS);
}

/* Without it nothing is read before SIGHUP, which tells of each key that wants a restart. */
static void test_a_signal_tells_what_needs_a_restart(void **state)
{
	(void)state;
	mount_fill(&mount, line[0]);
	start("connections: { max: 100 }\ndrain: { delay_ms: 1 }\n");
	mount_fill(&mount, line[1]);
	hang_up(" credentials_reloaded ");
	assert_int_equal(logged(" config_needs_restart "), 0);
	assert_int_equal(logged(" file_changed "), 0);
	write_config("max: 100", "max: 99");
	write_config("delay_ms: 1", "delay_ms: 2");
	file_write(password, "second");
	hang_up(" credentials_reloaded ");
	assert_int_equal(logged(" config_needs_restart key=connections.max"), 1);
	assert_int_equal(logged(" config_needs_restart key=drain.delay_ms"), 1);
	assert_int_equal(logged(" config_needs_restart key=redis.password_file"), 1);
	assert_int_equal(logged(" config_needs_restart "), 3);
	latchkeyd_stop(&service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_changes_is_read_again),
	    cmocka_unit_test(test_a_mistake_is_mended_by_another_change),
	    cmocka_unit_test(test_a_signal_tells_what_needs_a_restart),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
