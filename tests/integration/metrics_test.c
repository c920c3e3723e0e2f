/* Every metric is moved by what it counts: each row of the catalog has a cause here, or names the test that moves it; a
 * row without either fails this one.
 *
 * A cause is a piece of shell, with the command and redis-cli in it. The page of metrics is read before it, and again and
 * again while it runs, until all that it is to move has moved. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cli.h"
#include "support/file.h"
#include "support/http.h"
#include "support/latchkeyd.h"
#include "support/redis_cluster.h"
#include "support/wait.h"

#define NAME_BYTES 128
#define MOVES_MAX  32

/* Times are short where a cause has to wait for them. */
static const char config[] =
    "redis: { late_ms: 100, breaker_ms: 300, response_timeout_ms: 1500, failover_wait_ms: 1000, "
    "replay_bytes_max: 1048576, replica_lag_max_ms: 60000 }\n"
    "drain: { delay_ms: 600000 }\n"
    "realms:\n"
    "  - name: default\n"
    "    classes: [{ name: default }, { name: single, sessions_max: 1 }]\n"
    "    profiles: { changes: true }\n"
    "  - name: other\n"
    "    classes: [{ name: default, touch_interval_s: 1 }]\n"
    "    auth: { ttl_s: 1, stale_s: 600, early_percent: 0 }\n"
    "  - name: eager\n"
    "    auth: { ttl_s: 5, early_percent: 1000, jitter_percent: 0 }\n"
    "  - name: revoked\n";

static struct redis_server redis;
static struct redis_cluster cluster;
static struct latchkeyd service;
static char credential_file[TMPDIR_FILE_BYTES];
static char begun[TMPDIR_FILE_BYTES];

struct cause {
	const char *name;
	const char *script;
	/* Names with blanks between them; NAME|LABELS: of the series with this text in their labels; NAME|SECOND: of the
	 * cluster's second node. */
	const char *moves;
	bool is_held;	      /* the script goes on until it is killed */
	bool is_once;	      /* else a script that has ended, and has not moved all, is run again: calls may be late */
	void (*act)(void);    /* when it has made $BEGUN; NULL: nothing */
	void (*mend)(void);   /* afterwards */
	const char *and_then; /* a second script, afterwards */
};

static void freeze_redis(void)
{
	redis_server_freeze(&redis);
}

static void thaw_redis(void)
{
	redis_server_thaw(&redis);
}

static void kill_redis(void)
{
	redis_server_kill(&redis);
}

static void start_redis(void)
{
	redis_server_start(&redis);
}

static void restart_redis(void)
{
	kill_redis();
	start_redis();
}

static void fail_over(void)
{
	(void)redis_cluster_failover(&cluster, 0);
}

/* Half of the first shard's slots. */
static void move_slots(void)
{
	(void)redis_cluster_move_slots(&cluster,
				       &(struct redis_cluster_move){.from = 1, .to = 2, .first = 5461, .last = 5600});
}

/* $L is the command, $R redis-cli. */
static const struct cause plain_causes[] = {
    {.name = "a session's life",
     .script = "T=$($L session create alice); $L session get $T; $L session revoke $T; ! $L session get $T",
     .moves = "latchkey_connections_accepted_total latchkey_connections_closed_total latchkey_frames_total "
	      "latchkey_calls_total latchkey_calls_ok_total latchkey_sessions_created_total "
	      "latchkey_sessions_valid_total latchkey_sessions_invalid_total latchkey_sessions_revoked_total "
	      "latchkey_redis_commands_total latchkey_events_heard_total latchkey_recent_revocations "
	      "latchkey_calls_answered_total|Sessions/Get\",code=\"OK\" "
	      "latchkey_call_duration_seconds_count|Sessions/Get latchkey_call_duration_seconds_sum|Sessions/Get "
	      "latchkey_call_duration_seconds_bucket|Sessions/Get latchkey_key_tokens_verified_total "
	      "latchkey_key_records_opened_total latchkey_key_last_used_timestamp_seconds latchkey_journal_entries "
	      "latchkey_journal_bytes latchkey_redis_node_commands_total"},
    {.name = "the clocks, and a look at them",
     .script = ":",
     .moves = "latchkey_rpc_ticks_total latchkey_redis_ticks_total latchkey_admin_requests_total "
	      "process_cpu_seconds_total"},
    {.name = "bad tokens",
     .script = "T=$($L session create alice); ! $L session get lks1_nothing; "
	       "! $L session get ${T%????????????}aaaaaaaaaaaa",
     .moves = "latchkey_tokens_malformed_total latchkey_tokens_forged_total"},
    {.name = "anonymous sessions",
     .script = "A=$($L session create --anonymous); $L session create bob --promote $A",
     .moves = "latchkey_sessions_anonymous_total latchkey_sessions_promoted_total"},
    {.name = "one more than the cap",
     .script = "$L session create carol --class single; $L session create carol --class single",
     .moves = "latchkey_sessions_evicted_total"},
    {.name = "a rotation, and the old token",
     .script = "T=$($L session create dora); $L session rotate $T; $L session get $T; T=$($L session create dora); "
	       "$L session rotate $T --grace 0; ! $L session get $T",
     .moves = "latchkey_sessions_rotated_total latchkey_forwards_followed_total "
	      "latchkey_sessions_reuse_detected_total"},
    {.name = "uses within the interval and beyond it",
     .script = "T=$($L session create erna --realm other); while $L session get $T --realm other; do :; done",
     .moves = "latchkey_touches_total latchkey_touches_spared_total",
     .is_held = true},
    {.name = "a realm's end",
     .script = "T=$($L session create fred --realm revoked); $L session revoke-realm --realm revoked; "
	       "while $L session get $T --realm revoked; do :; done",
     .moves = "latchkey_realms_revoked_total latchkey_sessions_realm_revoked_total"},
    {.name = "a watcher",
     .script = "exec $L session watch",
     .moves = "latchkey_watches_total latchkey_watchers latchkey_connections process_open_fds "
	      "latchkey_frames_in_flight latchkey_frames_in_flight_bytes",
     .is_held = true},
    {.name = "an index that lies",
     .script = "T=$($L session create gina); $L session create gina; I=$($R --scan --pattern 'lk1:u:*' | tail -n 1); "
	       "for I in $($R --scan --pattern 'lk1:u:*'); do $R ZADD $I 9999999999999 aaaaaaaaaaaaaaaaaaaaaa; done; "
	       "$L session verify gina",
     .moves = "latchkey_index_dangling_total"},
    {.name = "a profile's life",
     .script = "$L profile set hugo a=1; $L profile get hugo; ! $L profile get nobody; "
	       "! $L profile set hugo a=2 --expect 77; I=$($L profile changes group | cut -d ' ' -f 1); "
	       "$L profile changes group --json | head -n 1; $L profile ack group $I",
     .moves = "latchkey_profiles_changed_total latchkey_profiles_found_total latchkey_profiles_missing_total "
	      "latchkey_profile_conflicts_total latchkey_profile_changes_published_total "
	      "latchkey_profile_changes_delivered_total latchkey_profile_changes_acknowledged_total"},
    {.name = "a change that nobody acknowledges",
     .script = "$L profile set ida a=1; while :; do $L profile changes dead --deliveries 1 --redeliver 0.01; done",
     .moves = "latchkey_profile_changes_died_total",
     .is_held = true},
    {.name = "visitors",
     .script = "$L visitors record page a b c; $L visitors count page",
     .moves = "latchkey_visitors_recorded_total latchkey_visitors_counted_total"},
    {.name = "limits",
     .script = "$L limit check login --limit 1 --per 600; ! $L limit check login --limit 1 --per 600",
     .moves = "latchkey_limits_allowed_total latchkey_limits_refused_total"},
    {.name = "locks",
     .script = "set -- $($L lock acquire job --ttl 600); ! $L lock acquire job --ttl 600 --wait 0.2; "
	       "$L lock release job $1; $L lock acquire job --ttl 600; ! $L lock release job $1",
     .moves = "latchkey_locks_acquired_total latchkey_locks_busy_total latchkey_locks_waited_total "
	      "latchkey_locks_lost_total latchkey_locks_released_total"},
    /* For ten seconds from the start on no answer is kept whose subject was forgotten lately: so it is tried again. */
    {.name = "answers",
     .script = "lease() { sed -n 's/.*\"lease\": *\"\\([^\"]*\\)\".*/\\1/p'; }\n"
	       "while :; do\n"
	       "N=$((N + 1)); K=$($L auth lookup s$N k --json | lease) || true; $L auth fill s$N k $K yes || true; "
	       "$L auth lookup s$N k || true; K=$($L auth lookup s$N none --json | lease) || true; "
	       "$L auth fill s$N none $K --negative || true; $L auth lookup s$N none || true; "
	       "K=$($L auth lookup s$N late --json | lease) || true; $L auth lookup s$N late --wait 0.05 || true; "
	       "$L auth forget s$N; $L auth fill s$N late $K yes || true\n"
	       "done",
     .moves = "latchkey_auth_hits_total latchkey_auth_negatives_total latchkey_auth_misses_total "
	      "latchkey_auth_leases_total latchkey_auth_waits_total latchkey_auth_waits_over_total "
	      "latchkey_auth_fills_total latchkey_auth_fills_refused_total latchkey_auth_forgets_total",
     .is_held = true},
    {.name = "answers past their time",
     .script = "lease() { sed -n 's/.*\"lease\": *\"\\([^\"]*\\)\".*/\\1/p'; }\n"
	       "K=$($L auth lookup s k --json --realm other | lease) || true; $L auth fill s k $K yes --realm other\n"
	       "while :; do $L auth lookup s k --realm other --no-lease || true; done",
     .moves = "latchkey_auth_stale_total",
     .is_held = true},
    {.name = "an answer refreshed early",
     .script = "lease() { sed -n 's/.*\"lease\": *\"\\([^\"]*\\)\".*/\\1/p'; }\n"
	       "while :; do K=$($L auth lookup s k --json --realm eager --lease 60 | lease) || true; sleep 0.5; "
	       "$L auth fill s k $K yes --realm eager || true; "
	       "for I in 1 2 3 4 5; do $L auth lookup s k --realm eager || true; done; done",
     .moves = "latchkey_auth_early_total",
     .is_held = true},
    {.name = "an answer that was damaged",
     .script = "lease() { sed -n 's/.*\"lease\": *\"\\([^\"]*\\)\".*/\\1/p'; }\n"
	       "K=$($L auth lookup damaged k --json | lease) || true; $L auth fill damaged k $K yes\n"
	       "for A in $($R --scan --pattern 'lk1:a:*'); do $R SETRANGE $A $(($($R STRLEN $A) - 3)) XXX; done\n"
	       "$L auth lookup damaged k || true",
     .moves = "latchkey_auth_unreadable_total"},
    {.name = "a session that was damaged",
     .script = "T=$($L session create jane)\n"
	       "for A in $($R --scan --pattern 'lk1:s:*'); do $R SETRANGE $A 70 XXX; done\n! $L session get $T",
     .moves = "latchkey_records_unreadable_total latchkey_sessions_unknown_total"},
    {.name = "scripts that Redis has forgotten",
     .script = "$R SCRIPT FLUSH; $L session create karl",
     .moves = "latchkey_redis_script_reloads_total"},
    {.name = "connections that Redis ends",
     .script = "$R CLIENT KILL TYPE normal SKIPME yes; $R CLIENT KILL TYPE pubsub",
     .moves = "latchkey_redis_disconnects_total latchkey_redis_connects_total "
	      "latchkey_redis_node_reconnects_total latchkey_event_gaps_total"},
    {.name = "a Redis that takes no writes",
     .script = "T=$($L session create lena); $R CONFIG SET min-replicas-to-write 1; $L session get $T; "
	       "! $L session create lena --timeout 1",
     .moves = "latchkey_sessions_unslid_total latchkey_redis_errors_total latchkey_redis_node_errors_total "
	      "latchkey_calls_unavailable_total latchkey_calls_failed_total",
     .and_then = "$R CONFIG SET min-replicas-to-write 0"},
    {.name = "a Redis that cannot save",
     .script = "T=$($L session create mona); D=$($R CONFIG GET dir | tail -n 1); mkdir $D/dump.rdb; "
	       "$R CONFIG SET save '3600 1'; $R BGSAVE; "
	       "until $R INFO persistence | grep -q rdb_last_bgsave_status:err; do :; done; $L session revoke $T",
     .moves = "latchkey_revocations_pending_total latchkey_writes_pending",
     .and_then = "$R CONFIG SET save ''; rmdir $($R CONFIG GET dir | tail -n 1)/dump.rdb"},
    {.name = "a Redis that stands still for a moment",
     .script =
	 "until T=$($L session create nora); do :; done; P=$($R INFO server | grep process_id | tr -cd 0-9); "
	 "while :; do for I in 1 2 3 4; do $L session create nils --timeout 2 & $L session get $T --timeout 2 & done; "
	 "kill -STOP $P; sleep 0.25; kill -CONT $P; wait; done",
     .moves = "latchkey_redis_late_total latchkey_writes_late_total latchkey_redis_resends_total",
     .is_held = true,
     .mend = thaw_redis},
    {.name = "a Redis that freezes",
     .script = "until T=$($L session create olga); do :; done; : >$BEGUN; while :; do $L session get $T --timeout 0.3 "
	       "|| true; done",
     .moves = "latchkey_redis_breaker_opened_total latchkey_redis_node_breaker_opened_total "
	      "latchkey_redis_node_breaker_open latchkey_calls_deadline_exceeded_total latchkey_redis_waits_total "
	      "latchkey_redis_node_timeouts_total latchkey_redis_node_in_flight latchkey_redis_ready "
	      "latchkey_degraded",
     .is_held = true,
     .act = freeze_redis,
     .mend = thaw_redis},
    {.name = "a Redis that is restarted",
     .script = "T=$($L session create paul); : >$BEGUN; "
	       "while :; do for A in $($R --scan --pattern 'lk1:s:*'); do $R DEL $A; done; "
	       "$L session get $T || true; done",
     .moves = "latchkey_redis_replayed_total latchkey_sessions_unsettled_total",
     .is_held = true,
     .act = restart_redis},
    {.name = "a Redis that comes back with something else in place of what it had",
     .script = "$L session create rosa; for A in $($R --scan --pattern 'lk1:s:*'); do $R DEL $A; $R LPUSH $A x; done; "
	       "$R SAVE; : >$BEGUN",
     .moves = "latchkey_redis_replay_failed_total",
     .act = restart_redis,
     .and_then = "$R FLUSHALL"},
    {.name = "a Redis that is gone",
     .script = ": >$BEGUN; while :; do $L session create quinn --timeout 0.2 || true; done",
     .moves = "latchkey_redis_refused_down_total latchkey_redis_node_up latchkey_redis_node_connections "
	      "latchkey_redis_nodes|state=\"serving\"",
     .is_held = true,
     .act = kill_redis,
     .mend = start_redis},
    {.name = "more changes than are kept",
     .script = "exec $L bench --mix create=1 --warmup 0 --seconds 60 --sessions 1 --value-bytes 1000",
     .moves = "latchkey_redis_journal_dropped_total process_resident_memory_bytes",
     .is_held = true},
    {.name = "a keyring with a mistake",
     .script = "cp $KEYRING $BEGUN.whole; echo 99 >>$KEYRING; kill -HUP $SERVICE",
     .moves = "latchkey_reload_refused",
     .is_once = true,
     .and_then = "cp $BEGUN.whole $KEYRING; kill -HUP $SERVICE"},
    {.name = "another first key",
     .script = "$LATCHKEYD --add-key $KEYRING; kill -HUP $SERVICE; sleep 0.1; $LATCHKEYD --promote-key $KEYRING 2; "
	       "kill -HUP $SERVICE",
     .moves = "latchkey_key_first|key=\"1\"",
     .is_once = true},
    {.name = "the end",
     .script = "kill -TERM $SERVICE",
     .moves = "latchkey_draining latchkey_ready",
     .is_once = true /* the second signal would end it at once */},
};

static const struct cause caller_causes[] = {
    {.name = "callers without a credential, and without the right",
     .script = "! $L session create alice; ! $L session create alice --credential-file $CREDENTIAL",
     .moves = "latchkey_calls_unauthenticated_total latchkey_calls_denied_total"},
};

static const struct cause cluster_causes[] = {
    {.name = "slots that move",
     .script = ": >$BEGUN; exec $L bench --mix get=1,create=1 --warmup 0 --seconds 120 --sessions 5000",
     .moves = "latchkey_redis_moved_total latchkey_redis_refreshes_total "
	      "latchkey_redis_node_slots|SECOND",
     .is_held = true,
     .act = move_slots},
    {.name = "a failover",
     .script = ": >$BEGUN; exec $L bench --mix create=1 --warmup 0 --seconds 120 --sessions 10",
     .moves = "latchkey_redis_failovers_total latchkey_redis_node_lag_seconds",
     .is_held = true,
     .act = fail_over},
};

/* Their values need not move while the service runs. */
static const char *const constants[] = {"latchkey_build_info", "latchkey_redis_info", "process_max_fds",
					"process_virtual_memory_bytes", "process_start_time_seconds"};

/* What it takes more to move than a service and a Redis: the test that does it has this text. */
static const struct {
	const char *name;
	const char *file;
	const char *text;
} elsewhere[] = {
    {"latchkey_connections_refused_total", "tests/integration/hostile_test.c", "latchkey_connections_refused_total"},
    {"latchkey_frames_refused_total", "tests/unit/rpc/server_test.c", "METRIC_FRAMES_REFUSED"},
    {"latchkey_calls_overloaded_total", "tests/unit/rpc/store_test.c", "METRIC_CALLS_OVERLOADED"},
    {"latchkey_tokens_retired_total", "tests/integration/keys_test.c", "latchkey_tokens_retired_total"},
    {"latchkey_realms_unconfirmed_total", "tests/unit/rpc/realm_test.c", "METRIC_REALMS_UNCONFIRMED"},
    {"latchkey_realms_ahead_total", "tests/unit/session/not_before_test.c", "METRIC_REALMS_AHEAD"},
    {"latchkey_index_wrong_score_total", "tests/unit/session/verify_test.c", "METRIC_INDEX_WRONG_SCORE"},
    {"latchkey_index_missing_total", "tests/unit/session/verify_test.c", "METRIC_INDEX_MISSING"},
    {"latchkey_records_key_missing_total", "tests/unit/session/reseal_test.c", "METRIC_RECORDS_KEY_MISSING"},
    {"latchkey_records_resealed_total", "tests/integration/keys_test.c", "latchkey_records_resealed_total"},
    {"latchkey_embedded_restarts_total", "tests/integration/embedded_test.c", "latchkey_embedded_restarts_total"},
    {"latchkey_recent_revocations_dropped_total", "tests/unit/session/recent_test.c", "METRIC_RECENT_DROPPED"},
    {"latchkey_writes_unconfirmed_total", "tests/unit/rpc/keep_test.c", "METRIC_WRITES_UNCONFIRMED"},
    {"latchkey_writes_wait_short_total", "tests/unit/rpc/keep_test.c", "METRIC_WRITES_WAIT_SHORT"},
    {"latchkey_redis_maps_doubted_total", "tests/unit/redis/router_test.c", "METRIC_REDIS_MAPS_DOUBTED"},
    {"latchkey_redis_ask_total", "tests/unit/redis/router_test.c", "METRIC_REDIS_ASK"},
    {"latchkey_events_duplicate_total", "tests/integration/watch_test.c", "latchkey_events_duplicate_total"},
    {"latchkey_admin_requests_cut_off_total", "tests/unit/admin/listener_test.c", "METRIC_ADMIN_CUT_OFF"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Moving ---- */

struct move {
	char name[NAME_BYTES];
	char labels[NAME_BYTES]; /* "": all */
	double before;
	bool was_there;
	bool has_moved;
};

static bool value_of(const struct move *m, const char *page, double *ret)
{
	return metrics_sum(page, m->name, m->labels[0] == '\0' ? NULL : m->labels, ret);
}

static size_t parse_moves(const char *text, struct move moves[static MOVES_MAX])
{
	size_t count = 0;

	while (*text != '\0') {
		const size_t len = strcspn(text, " ");
		const size_t name = strcspn(text, " |");
		struct move *m = &moves[count++];

		assert_true(count < MOVES_MAX && len < NAME_BYTES);
		*m = (struct move){0};
		memcpy(m->name, text, name);
		if (name < len)
			memcpy(m->labels, text + name + 1, len - name - 1);
		if (strcmp(m->labels, "SECOND") == 0)
			snprintf(m->labels, sizeof(m->labels), "node=\"127.0.0.1:%u\"", cluster.nodes[1].port);
		text += len;
		text += *text == ' ';
	}
	return count;
}

static bool look(struct move *moves, size_t count, bool is_before)
{
	struct http_reply page;
	bool have_all = true;
	double now;

	http_ask(service.admin_url, "GET", "/metrics", &page);
	for (size_t i = 0; i < count; i++) {
		struct move *m = &moves[i];
		const bool is_there = value_of(m, page.body, &now);

		if (is_before) {
			m->was_there = is_there;
			m->before = is_there ? now : 0;
		} else if (is_there != m->was_there || (is_there && now != m->before)) {
			m->has_moved = true;
		}
		have_all = have_all && m->has_moved;
	}
	http_reply_free(&page);
	return have_all;
}

static void spawn(struct process *p, const char *script)
{
	char daemon[TMPDIR_FILE_BYTES * 2], command[TMPDIR_FILE_BYTES * 2];
	char env[8][TMPDIR_FILE_BYTES * 3], output[TMPDIR_FILE_BYTES];
	const char *const argv[] = {"bash", "-c", script, NULL};
	const char *const envp[] = {env[0], env[1], env[2], env[3], env[4], env[5], env[6], env[7], NULL};

	tmpdir_file(&service.dir, "output", output);
	binary_path("latchkeyd", daemon, sizeof(daemon));
	binary_path("latchkey", command, sizeof(command));
	snprintf(env[0], sizeof(env[0]), "L=%s", command);
	snprintf(env[1], sizeof(env[1]), "R=redis-cli -s %s", redis.socket);
	snprintf(env[2], sizeof(env[2]), "LATCHKEY_SERVER=%s", service.url);
	snprintf(env[3], sizeof(env[3]), "LATCHKEYD=%s", daemon);
	snprintf(env[4], sizeof(env[4]), "KEYRING=%s/keyring", service.state);
	snprintf(env[5], sizeof(env[5]), "SERVICE=%d", service.process.pid);
	snprintf(env[6], sizeof(env[6]), "CREDENTIAL=%s", credential_file);
	snprintf(env[7], sizeof(env[7]), "BEGUN=%s", begun);
	process_spawn(p, &(struct process_spec){.argv = argv, .env = envp, .output_path = output});
}

static void run_script(const char *script)
{
	struct process p = {0};
	int status = -1;

	spawn(&p, script);
	assert_true(process_wait(&p, BOUND_MS, &status));
}

/* The end of what the scripts have said. */
#define SHOWN_BYTES 700

static void report_unmoved(const struct cause *c, const struct move *moves, size_t count)
{
	char path[TMPDIR_FILE_BYTES];
	size_t len;
	char *said;

	tmpdir_file(&service.dir, "output", path);
	said = file_read(path, &len);
	for (size_t i = 0; i < count; i++)
		if (!moves[i].has_moved)
			print_error("%s: %s %s has not moved\n", c->name, moves[i].name, moves[i].labels);
	print_error("%s\n", said + (len > SHOWN_BYTES ? len - SHOWN_BYTES : 0));
	free(said);
}

static bool moves_all(const struct cause *c, struct move *moves, size_t count, struct process *p)
{
	const bool have_moved = look(moves, count, false);

	if (!have_moved && !c->is_once && c->act == NULL && !process_is_running(p)) {
		process_kill(p);
		spawn(p, c->script);
	}
	return have_moved;
}

static bool run_cause(const struct cause *c)
{
	struct move moves[MOVES_MAX];
	const size_t count = parse_moves(c->moves, moves);
	struct process p = {0};
	bool have_moved;

	(void)look(moves, count, true);
	spawn(&p, c->script);
	if (c->act != NULL) {
		assert_becomes(access(begun, F_OK) == 0, BOUND_MS);
		c->act();
		(void)unlink(begun);
	}
	have_moved = WAIT_FOR(moves_all(c, moves, count, &p), BOUND_MS);
	if (!have_moved)
		report_unmoved(c, moves, count);
	if (c->is_held || !have_moved)
		process_kill(&p);
	else
		assert_true(process_wait(&p, BOUND_MS, NULL));
	if (c->mend != NULL)
		c->mend();
	if (c->and_then != NULL)
		run_script(c->and_then);
	return have_moved;
}

static void run_causes(const struct cause *causes, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += run_cause(&causes[i]) ? 0 : 1;
	if (failed > 0)
		fail_msg("%zu of %zu causes have not moved all they should", failed, count);
}

/* ---- The stages ---- */

static void start_service(const char *redis_url, const char *text)
{
	latchkeyd_init(&service,
		       &(struct latchkeyd_options){.redis_url = redis_url, .config = text, .has_admin = true});
	tmpdir_file(&service.dir, "begun", begun);
	latchkeyd_start_serving(&service);
}

static void expect_constants(void)
{
	struct http_reply page;
	double value;

	http_ask(service.admin_url, "GET", "/metrics", &page);
	for (size_t i = 0; i < COUNT(constants); i++)
		if (!metrics_sum(page.body, constants[i], NULL, &value) || value <= 0)
			fail_msg("%s is not there, or 0", constants[i]);
	http_reply_free(&page);
}

static void test_with_one_redis(void **state)
{
	(void)state;
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	start_service(redis.url, config);
	expect_constants();
	run_causes(plain_causes, COUNT(plain_causes));
	latchkeyd_remove(&service);
	redis_server_remove(&redis);
}

/* The credential into its file, the line for the service into the other. */
static void make_caller(const char *callers)
{
	char credential[CLI_LINE_BYTES], line[CLI_LINE_BYTES], text[2 * CLI_LINE_BYTES];

	cli_new_credential("web", "reader", credential, line);
	snprintf(text, sizeof(text), "role reader /latchkey.v1.Sessions/Get *\n%s\n", line);
	file_write(callers, text);
	file_write(credential_file, credential);
}

static void test_with_callers(void **state)
{
	char callers[TMPDIR_FILE_BYTES], text[TMPDIR_FILE_BYTES + 32];
	struct tmpdir dir;

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "callers", callers);
	tmpdir_file(&dir, "credential", credential_file);
	make_caller(callers);
	snprintf(text, sizeof(text), "credentials: %s\n", callers);
	start_service(NULL, text);
	run_causes(caller_causes, COUNT(caller_causes));
	latchkeyd_stop(&service);
	latchkeyd_remove(&service);
	tmpdir_remove(&dir);
}

static void test_with_a_cluster(void **state)
{
	(void)state;
	redis_cluster_open(&cluster, NULL);
	start_service(cluster.url, config);
	run_causes(cluster_causes, COUNT(cluster_causes));
	latchkeyd_remove(&service);
	redis_cluster_close(&cluster);
}

/* ---- The whole catalog ---- */

/* A histogram is moved as its count, sum and buckets. */
static bool names(const char *moves, const char *name)
{
	struct move each[MOVES_MAX];
	const size_t count = parse_moves(moves, each);
	char part[NAME_BYTES];

	snprintf(part, sizeof(part), "%s_count", name);
	for (size_t i = 0; i < count; i++)
		if (strcmp(each[i].name, name) == 0 || strcmp(each[i].name, part) == 0)
			return true;
	return false;
}

static bool is_caused(const struct cause *causes, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (names(causes[i].moves, name))
			return true;
	return false;
}

static bool is_constant(const char *name)
{
	for (size_t i = 0; i < COUNT(constants); i++)
		if (strcmp(constants[i], name) == 0)
			return true;
	return false;
}

static bool is_elsewhere(const char *name)
{
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		if (strcmp(elsewhere[i].name, name) != 0)
			continue;
		if (file_contains(elsewhere[i].file, elsewhere[i].text, strlen(elsewhere[i].text)))
			return true;
		fail_msg("%s is said to be moved by %s, which has no %s", name, elsewhere[i].file, elsewhere[i].text);
	}
	return false;
}

static void test_each_metric_has_a_cause(void **state)
{
	struct run_result printed;
	char name[NAME_BYTES];
	unsigned rows = 0;

	(void)state;
	latchkeyd_run((const char *const[]){"--print-metrics", NULL}, NULL, &printed);
	assert_int_equal(printed.status, 0);
	for (const char *line = printed.out; line != NULL; line = strstr(line + 1, "\n| `")) {
		if (sscanf(line, "\n| `%127[a-z0-9_]`", name) != 1)
			continue;
		rows++;
		if (!is_caused(plain_causes, COUNT(plain_causes), name) &&
		    !is_caused(caller_causes, COUNT(caller_causes), name) &&
		    !is_caused(cluster_causes, COUNT(cluster_causes), name) && !is_constant(name) &&
		    !is_elsewhere(name))
			fail_msg("%s: nothing moves it: give it a cause", name);
	}
	assert_true(rows > 100);
	run_result_free(&printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_metric_has_a_cause),
	    cmocka_unit_test(test_with_one_redis),
	    cmocka_unit_test(test_with_callers),
	    cmocka_unit_test(test_with_a_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
