#include "fault/stage.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "support/wait.h"

/* Hosts of a network: one a program. */
#define HOSTS 8

static const char service_config[] =
    "realms:\n"
    "  - name: default\n"
    "    classes:\n"
    /* Creates whose answer was lost leave sessions that nobody ends: they must evict none. */
    "      - { name: default, sessions_max: 10000 }\n";

/* In a mount namespace of this process: it is gone with it. */
static void mount_small_disk(const char *folder)
{
	char size[32];

	(void)snprintf(size, sizeof(size), "size=%u,mode=0700", STAGE_DISK_BYTES);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, size) != 0)
		fail_msg("cannot mount a tmpfs on %s: %s", folder, strerror(errno));
}

static void open_single(struct stage *s)
{
	struct redis_server_options options = {0};

	if (s->options.is_durable) {
		options.args[0] = "--appendonly";
		options.args[1] = "yes";
	}
	redis_server_init(&s->single, &options);
	if (s->options.has_small_disk)
		mount_small_disk(s->single.dir.path);
	redis_server_start(&s->single);
}

static void open_sentinels(struct stage *s)
{
	struct redis_sentinels_options options = {.appendonly = s->options.is_durable};

	for (size_t i = 0; s->options.has_network && i < 3; i++) {
		options.hosts[i] = &s->net.hosts[i];
		options.sentinel_hosts[i] = &s->net.hosts[3 + i];
	}
	redis_sentinels_open(&s->sentinels, &options);
}

static void open_cluster(struct stage *s)
{
	struct redis_cluster_options options = {.appendonly = s->options.is_durable};

	for (size_t i = 0; s->options.has_network && i < 6; i++)
		options.hosts[i] = &s->net.hosts[i];
	if (s->options.serves_partly) {
		options.args[0] = "--cluster-require-full-coverage";
		options.args[1] = "no";
	}
	redis_cluster_open(&s->cluster, &options);
}

static const char *redis_url(const struct stage *s)
{
	switch (s->options.topology) {
	case STAGE_SENTINELS:
		return s->sentinels.url;
	case STAGE_CLUSTER:
		return s->cluster.url;
	default:
		return s->single.url;
	}
}

static void make_keyring(struct stage *s)
{
	const char *const args[] = {"--new-keyring", s->keyring, NULL};
	struct run_result run;

	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "keyring", s->keyring);
	latchkeyd_run(args, NULL, &run);
	if (run.status != 0)
		fail_msg("--new-keyring: %s", run.err);
	run_result_free(&run);
}

static void init_service(struct stage *s, unsigned i)
{
	static char listen[STAGE_INSTANCES][TMPDIR_FILE_BYTES + 8];
	static char keyring[TMPDIR_FILE_BYTES + 24];
	static char patience[48];
	struct latchkeyd_options options = {.redis_url = redis_url(s), .config = service_config, .env = {keyring}};
	char socket[TMPDIR_FILE_BYTES];
	char name[8];

	(void)snprintf(patience, sizeof(patience), "LATCHKEY_REDIS_RESPONSE_TIMEOUT_MS=%u", s->options.call_timeout_ms);
	(void)snprintf(keyring, sizeof(keyring), "LATCHKEY_KEYRING=%s", s->keyring);
	if (s->options.is_b_patient && i == 1)
		options.env[1] = patience;
	if (s->options.has_network) {
		(void)snprintf(name, sizeof(name), "%c.sock", 'A' + (int)i);
		tmpdir_file(&s->dir, name, socket);
		(void)snprintf(listen[i], sizeof(listen[i]), "ipc://%s", socket);
		options.listen_url = listen[i];
		options.host = &s->net.hosts[HOSTS - STAGE_INSTANCES + i];
	}
	latchkeyd_init(&s->services[i], &options);
}

static void open_client(struct stage *s, unsigned i)
{
	const char *endpoints[STAGE_INSTANCES] = {s->services[i].url, s->services[1 - i].url};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;

	options.endpoints = endpoints;
	options.endpoint_count = s->options.is_any_instance ? STAGE_INSTANCES : 1;
	options.call_timeout_ms = s->options.call_timeout_ms;
	if (lk_client_open(&options, &s->clients[i], &error) != LK_OK)
		fail_msg("lk_client_open: %s", error.message);
}

static void open_services(struct stage *s)
{
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		init_service(s, i);
		latchkeyd_start(&s->services[i]);
	}
	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		open_client(s, i);
}

static void open_load(struct stage *s)
{
	struct load_options options = {
	    .is_any_instance = s->options.is_any_instance,
	    .is_pinned = s->options.is_pinned,
	    .workers = s->options.workers,
	    .operations_per_s = s->options.operations_per_s,
	    .shards = s->rules.shards,
	};

	memcpy(options.clients, s->clients, sizeof(options.clients));
	s->load = load_start(&options);
}

void stage_open(struct stage *s, const struct stage_options *options)
{
	*s = (struct stage){.options = *options};
	s->rules.shards = options->topology == STAGE_CLUSTER ? STAGE_SHARDS : 1;
	make_keyring(s);
	if (options->has_network)
		netns_open(&s->net, HOSTS);
	if (options->topology == STAGE_SINGLE)
		open_single(s);
	else if (options->topology == STAGE_SENTINELS)
		open_sentinels(s);
	else
		open_cluster(s);
	open_services(s);
	open_load(s);
	stage_settle(s);
}

void stage_wait_well(struct stage *s)
{
	if (s->options.topology == STAGE_SENTINELS)
		redis_sentinels_wait_well(&s->sentinels);
	else if (s->options.topology == STAGE_CLUSTER)
		redis_cluster_wait_well(&s->cluster);
}

void stage_settle(struct stage *s)
{
	stage_wait_well(s);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		if (!WAIT_FOR(latchkeyd_is_serving(&s->services[i]), STAGE_BOUND_MS))
			stage_wrong(s, "instance %c does not serve again within %u s", 'A' + (int)i,
				    STAGE_BOUND_MS / 1000);
	if (s->load != NULL && !load_wait_advanced(s->load, STAGE_BOUND_MS))
		stage_wrong(s, "some caller is not answered again within %u s", STAGE_BOUND_MS / 1000);
}

void stage_stop_services(struct stage *s)
{
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		struct latchkeyd *service = &s->services[i];
		int status = -1;
		char *log;

		process_signal(&service->process, SIGTERM);
		if (process_wait(&service->process, STAGE_BOUND_MS, &status) && status == 0)
			continue;
		stage_wrong(s, "instance %c does not end well: status %d (-1: not at all)", 'A' + (int)i, status);
		log = latchkeyd_log(service);
		(void)fputs(log, stderr);
		free(log);
	}
}

void stage_close(struct stage *s)
{
	load_free(&s->load);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		lk_client_close(&s->clients[i]);
		latchkeyd_remove(&s->services[i]);
	}
	redis_sentinels_close(&s->sentinels);
	redis_cluster_close(&s->cluster);
	if (s->options.has_small_disk)
		(void)umount2(s->single.dir.path, MNT_DETACH);
	redis_server_remove(&s->single);
	netns_close(&s->net);
	tmpdir_remove(&s->dir);
}

void stage_wrong(struct stage *s, const char *format, ...)
{
	va_list args;

	if (s->wrong_count++ > 0)
		return;
	va_start(args, format);
	(void)vsnprintf(s->wrong, sizeof(s->wrong), format, args);
	va_end(args);
}

void stage_note(struct stage *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(s->note, sizeof(s->note), format, args);
	va_end(args);
}

static bool is_cluster(const struct stage *s)
{
	return s->options.topology == STAGE_CLUSTER;
}

unsigned stage_nodes(const struct stage *s)
{
	return is_cluster(s) ? s->cluster.count : s->sentinels.count;
}

static int primary_now(struct stage *s, unsigned shard)
{
	return is_cluster(s) ? redis_cluster_primary_of_shard(&s->cluster, shard)
			     : redis_sentinels_primary(&s->sentinels);
}

unsigned stage_primary(struct stage *s, unsigned shard)
{
	int primary = -1;

	if (!WAIT_FOR((primary = primary_now(s, shard)) >= 0, STAGE_BOUND_MS))
		fail_msg("shard %u has no primary", shard);
	return (unsigned)primary;
}

void stage_kill(struct stage *s, unsigned node)
{
	if (is_cluster(s))
		redis_cluster_kill(&s->cluster, node);
	else
		redis_sentinels_kill(&s->sentinels, node);
}

void stage_stop(struct stage *s, unsigned node)
{
	if (is_cluster(s))
		redis_cluster_stop(&s->cluster, node);
	else
		redis_sentinels_stop(&s->sentinels, node);
}

void stage_start(struct stage *s, unsigned node)
{
	if (is_cluster(s))
		redis_cluster_start(&s->cluster, node);
	else
		redis_sentinels_start(&s->sentinels, node);
}

void stage_freeze(struct stage *s, unsigned node)
{
	if (is_cluster(s))
		redis_cluster_freeze(&s->cluster, node);
	else
		redis_sentinels_freeze(&s->sentinels, node);
}

void stage_thaw(struct stage *s, unsigned node)
{
	if (is_cluster(s))
		redis_cluster_thaw(&s->cluster, node);
	else
		redis_sentinels_thaw(&s->sentinels, node);
}

void stage_wait_successor(struct stage *s, unsigned old_primary)
{
	if (is_cluster(s))
		(void)redis_cluster_wait_successor(&s->cluster, old_primary);
	else
		(void)redis_sentinels_wait_successor(&s->sentinels, old_primary);
}

void stage_failover(struct stage *s, unsigned shard)
{
	if (is_cluster(s))
		(void)redis_cluster_failover(&s->cluster, shard);
	else
		(void)redis_sentinels_failover(&s->sentinels);
}

int stage_shard_led_by(struct stage *s, unsigned node)
{
	unsigned shard = is_cluster(s) ? redis_cluster_shard_of(&s->cluster, node) : 0;

	return stage_primary(s, shard) == node ? (int)shard : -1;
}
