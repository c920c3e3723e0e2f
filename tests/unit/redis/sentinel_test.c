#include "redis/sentinel.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/port.h"
#include "support/redis_sentinels.h"
#include "support/wait.h"
#include "wire/link.h"
#include "wire/ticker.h"
#include "wire/tls.h"

/* What was reported about one Sentinel. */
struct word {
	struct address from;
	unsigned reports[SENTINEL_SILENT + 1];
	unsigned events;
	struct address asked; /* the primary that it named last, when asked; */
	struct address heard; /* and by itself */
};

struct scene {
	struct redis_sentinels servers;
	wire_tls *tls;
	sentinel *sentinel;
	wire_ticker *ticker;

	pthread_mutex_t lock;
	struct word words[SENTINEL_MEMBERS_MAX];
	size_t word_count;
	struct address replicas[SENTINEL_REPLICAS_MAX];
	size_t replica_count;
	char names[4096];
	char texts[16384];
};

static struct word *word_of(struct scene *s, const struct address *from)
{
	for (size_t i = 0; i < s->word_count; i++)
		if (address_eq(&s->words[i].from, from))
			return &s->words[i];
	assert_true(s->word_count < SENTINEL_MEMBERS_MAX);
	s->words[s->word_count].from = *from;
	return &s->words[s->word_count++];
}

static void on_report(void *owner, const struct sentinel_report *report)
{
	struct scene *s = owner;
	struct word *w;

	pthread_mutex_lock(&s->lock);
	w = word_of(s, report->from);
	w->reports[report->opinion]++;
	if (report->is_event) {
		w->events++;
		w->heard = report->primary;
	} else if (report->opinion == SENTINEL_PRIMARY_IS) {
		w->asked = report->primary;
	}
	pthread_mutex_unlock(&s->lock);
}

static void on_replicas(void *owner, const struct address *replicas, size_t count)
{
	struct scene *s = owner;

	pthread_mutex_lock(&s->lock);
	memcpy(s->replicas, replicas, count * sizeof(replicas[0]));
	s->replica_count = count;
	pthread_mutex_unlock(&s->lock);
}

static void append(char *to, size_t size, const char *text, char end)
{
	size_t at = strlen(to);

	(void)snprintf(to + at, size - at, "%s%c", text, end);
}

static void on_event(void *owner, const struct redis_event *event)
{
	struct scene *s = owner;

	pthread_mutex_lock(&s->lock);
	append(s->names, sizeof(s->names), event->name, ' ');
	append(s->texts, sizeof(s->texts), event->error == NULL ? "" : event->error, '\n');
	append(s->texts, sizeof(s->texts), event->text == NULL ? "" : event->text, '\n');
	pthread_mutex_unlock(&s->lock);
}

static void on_tick(void *owner)
{
	sentinel_tick(((struct scene *)owner)->sentinel, wire_now_ms(), false);
}

static struct address local(const char *host, uint16_t port)
{
	struct address a;

	assert_true(address_make(span_str(host), port, &a));
	return a;
}

static struct address node_at(const struct scene *s, unsigned node)
{
	return local("127.0.0.1", s->servers.nodes[node].port);
}

static struct address sentinel_at(const struct scene *s, unsigned number)
{
	return local("127.0.0.1", s->servers.sentinels[number].port);
}

static struct word look(struct scene *s, struct address from)
{
	struct word w;

	pthread_mutex_lock(&s->lock);
	w = *word_of(s, &from);
	pthread_mutex_unlock(&s->lock);
	return w;
}

static unsigned reports(struct scene *s, struct address from, enum sentinel_opinion opinion)
{
	return look(s, from).reports[opinion];
}

static bool was_told(struct scene *s, const char *text, const char *part)
{
	bool found;

	pthread_mutex_lock(&s->lock);
	found = strstr(text, part) != NULL;
	pthread_mutex_unlock(&s->lock);
	return found;
}

static bool names(struct scene *s, unsigned number, unsigned node)
{
	struct word w = look(s, sentinel_at(s, number));
	struct address a = node_at(s, node);

	return address_eq(&w.asked, &a);
}

static bool has_replica(struct scene *s, unsigned node)
{
	struct address a = node_at(s, node);
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->replica_count; i++)
		found = found || address_eq(&s->replicas[i], &a);
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Members that are connected and listened to. */
static size_t live_members(struct scene *s, size_t *ret_all)
{
	struct sentinel_member members[SENTINEL_MEMBERS_MAX];
	size_t live = 0;

	*ret_all = sentinel_members(s->sentinel, members, SENTINEL_MEMBERS_MAX);
	for (size_t i = 0; i < *ret_all; i++)
		live += members[i].is_connected && members[i].is_listening && members[i].answered_ms > 0;
	return live;
}

static bool has_members(struct scene *s, size_t live, size_t all)
{
	size_t found;

	return live_members(s, &found) == live && found == all;
}

struct login {
	const char *user;
	const char *password;
};

static void watch(struct scene *s, const char *name, const struct address *seeds, size_t count, struct login login)
{
	s->sentinel = sentinel_new(&(struct sentinel_options){
	    .name = name,
	    .seeds = seeds,
	    .seed_count = count,
	    .is_tls = s->tls != NULL,
	    .tls = s->tls,
	    .greeting.user = login.user,
	    .greeting.password = login.password,
	    .connect_timeout_ms = 1000,
	    .answer_timeout_ms = 1000,
	    .events = {.report = on_event, .owner = s},
	    .report = on_report,
	    .replicas = on_replicas,
	    .owner = s,
	});
	assert_non_null(s->sentinel);
}

static void watch_and_tick(struct scene *s, const char *name, const struct address *seeds, size_t count,
			   struct login login)
{
	watch(s, name, seeds, count, login);
	s->ticker = wire_ticker_start(5, on_tick, s);
	assert_non_null(s->ticker);
}

static void open_scene(struct scene *s, const struct redis_sentinels_options *options)
{
	*s = (struct scene){.lock = PTHREAD_MUTEX_INITIALIZER};
	redis_sentinels_open(&s->servers, options);
}

static void stop_watching(struct scene *s)
{
	wire_ticker_stop(&s->ticker);
	sentinel_free(&s->sentinel);
	assert_null(s->sentinel);
	assert_true(wire_drain(BOUND_MS));
}

static void close_scene(struct scene *s)
{
	stop_watching(s);
	redis_sentinels_close(&s->servers);
}

#define NOBODY ((struct login){0})

static void learns_the_others_from_one(void **state)
{
	static struct scene s;
	struct address seed;

	(void)state;
	open_scene(&s, NULL);
	/* By a name: the others call it by its address, and it shall not be taken for two. */
	seed = local("localhost", s.servers.sentinels[0].port);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, NOBODY);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	assert_becomes(names(&s, 1, 0) && names(&s, 2, 0), BOUND_MS);
	assert_becomes(has_replica(&s, 1) && has_replica(&s, 2), BOUND_MS);
	/* Each has been asked for the others by its first poll. */
	assert_becomes(reports(&s, sentinel_at(&s, 1), SENTINEL_PRIMARY_IS) >= 3, BOUND_MS);
	assert_becomes(reports(&s, sentinel_at(&s, 2), SENTINEL_PRIMARY_IS) >= 3, BOUND_MS);
	assert_becomes(reports(&s, seed, SENTINEL_PRIMARY_IS) >= 3, BOUND_MS);
	assert_true(has_members(&s, 3, 3));
	assert_int_equal(reports(&s, sentinel_at(&s, 0), SENTINEL_PRIMARY_IS), 0);
	assert_false(was_told(&s, s.names, "redis_sentinel_failed"));
	close_scene(&s);
}

static void does_without_a_dead_seed(void **state)
{
	static struct scene s;
	struct address seeds[2];

	(void)state;
	open_scene(&s, NULL);
	seeds[0] = local("127.0.0.1", port_free());
	seeds[1] = sentinel_at(&s, 1);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, seeds, 2, NOBODY);
	assert_becomes(has_members(&s, 3, 4), BOUND_MS);
	assert_becomes(names(&s, 0, 0) && names(&s, 1, 0) && names(&s, 2, 0), BOUND_MS);
	assert_becomes(reports(&s, seeds[0], SENTINEL_SILENT) >= 3, BOUND_MS);
	assert_true(was_told(&s, s.names, "redis_sentinel_failed"));
	assert_true(was_told(&s, s.texts, "connection refused"));
	close_scene(&s);
}

static void sees_a_failover(void **state)
{
	static struct scene s;
	struct address seeds[3];
	unsigned primary;

	(void)state;
	open_scene(&s, NULL);
	for (unsigned i = 0; i < 3; i++)
		seeds[i] = sentinel_at(&s, i);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, seeds, 3, NOBODY);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	redis_sentinels_kill(&s.servers, 0);
	primary = redis_sentinels_wait_successor(&s.servers, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct address successor = node_at(&s, primary);
		struct word w;

		assert_becomes(look(&s, seeds[i]).events > 0, BOUND_MS);
		w = look(&s, seeds[i]);
		assert_true(address_eq(&w.heard, &successor));
		assert_becomes(names(&s, i, primary), BOUND_MS);
	}
	/* The lists follow: the new primary is no replica any more, the dead one is down and none yet. */
	assert_becomes(!has_replica(&s, primary) && has_replica(&s, primary == 1 ? 2 : 1) && !has_replica(&s, 0),
		       BOUND_MS);
	close_scene(&s);
}

static void outlives_them_all(void **state)
{
	static struct scene s;
	struct address seeds[2];

	(void)state;
	open_scene(&s, NULL);
	for (unsigned i = 0; i < 2; i++)
		seeds[i] = sentinel_at(&s, i);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, seeds, 2, NOBODY);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	for (unsigned i = 0; i < 3; i++)
		redis_sentinels_kill_sentinel(&s.servers, i);
	assert_becomes(has_members(&s, 0, 3), BOUND_MS);
	for (unsigned i = 0; i < 3; i++)
		assert_becomes(reports(&s, sentinel_at(&s, i), SENTINEL_SILENT) >= 2, BOUND_MS);
	assert_true(was_told(&s, s.names, "redis_sentinel_disconnected"));
	for (unsigned i = 0; i < 3; i++)
		redis_sentinels_start_sentinel(&s.servers, i);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	close_scene(&s);
}

static void reports_a_frozen_one_silent(void **state)
{
	static struct scene s;
	struct address seed;
	unsigned before;

	(void)state;
	open_scene(&s, NULL);
	seed = sentinel_at(&s, 0);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, NOBODY);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	before = reports(&s, sentinel_at(&s, 2), SENTINEL_SILENT);
	redis_sentinels_freeze_sentinel(&s.servers, 2);
	assert_becomes(reports(&s, sentinel_at(&s, 2), SENTINEL_SILENT) >= before + 3, BOUND_MS);
	assert_becomes(has_members(&s, 2, 3), BOUND_MS);
	before = reports(&s, seed, SENTINEL_PRIMARY_IS);
	assert_becomes(reports(&s, seed, SENTINEL_PRIMARY_IS) > before, BOUND_MS);
	redis_sentinels_thaw_sentinel(&s.servers, 2);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	close_scene(&s);
}

static void says_that_the_name_is_wrong(void **state)
{
	static struct scene s;
	struct address seed;

	(void)state;
	open_scene(&s, &(struct redis_sentinels_options){.replicas = 1, .sentinels = 1});
	seed = sentinel_at(&s, 0);
	watch_and_tick(&s, "yourmaster", &seed, 1, NOBODY);
	assert_becomes(reports(&s, seed, SENTINEL_UNKNOWN_NAME) >= 3, BOUND_MS);
	assert_int_equal(reports(&s, seed, SENTINEL_PRIMARY_IS), 0);
	assert_int_equal(reports(&s, seed, SENTINEL_SILENT), 0);
	assert_true(was_told(&s, s.names, "redis_sentinel_unknown_name"));
	assert_true(was_told(&s, s.texts, "no primary named yourmaster"));
	/* As soon as it is right the answer is. */
	freeReplyObject(redis_server_command(&s.servers.sentinels[0], "SENTINEL MONITOR yourmaster 127.0.0.1 %d 1",
					     s.servers.nodes[0].port));
	assert_becomes(names(&s, 0, 0), BOUND_MS);
	close_scene(&s);
}

static void says_that_a_login_is_needed(void **state)
{
	static struct scene s;
	struct address seed;

	(void)state;
	open_scene(&s, &(struct redis_sentinels_options){
			   .replicas = 1, .sentinels = 1, .sentinel_user = "watcher", .sentinel_password = "pass"});
	seed = sentinel_at(&s, 0);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, NOBODY);
	assert_becomes(was_told(&s, s.texts, "NOAUTH"), BOUND_MS);
	assert_true(was_told(&s, s.texts, "redis.sentinel_user"));
	assert_true(was_told(&s, s.texts, "redis.sentinel_password_file"));
	stop_watching(&s);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, (struct login){"watcher", "secret-but-wrong"});
	assert_becomes(was_told(&s, s.texts, "WRONGPASS"), BOUND_MS);
	assert_false(was_told(&s, s.texts, "secret"));
	assert_int_equal(reports(&s, seed, SENTINEL_PRIMARY_IS), 0);
	stop_watching(&s);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, (struct login){NULL, "pass"});
	assert_becomes(has_members(&s, 1, 1) && names(&s, 0, 0), BOUND_MS);
	stop_watching(&s);
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, (struct login){"watcher", "pass"});
	assert_becomes(has_members(&s, 1, 1), BOUND_MS);

	/* May not listen: asked all the same. May not ask: of no use, and said so. */
	freeReplyObject(redis_server_command(&s.servers.sentinels[0], "ACL SETUSER watcher resetchannels"));
	assert_becomes(was_told(&s, s.names, "redis_sentinel_deaf"), BOUND_MS);
	freeReplyObject(redis_server_command(&s.servers.sentinels[0], "ACL SETUSER watcher -sentinel"));
	assert_becomes(was_told(&s, s.texts, "run the 'sentinel"), BOUND_MS);
	close_scene(&s);
}

static void speaks_tls(void **state)
{
	static struct scene s;
	struct certificates certificates;
	struct tmpdir dir;
	struct address seed, primary;

	(void)state;
	tmpdir_make(&dir);
	certificates_make(&certificates, &dir);
	open_scene(&s, &(struct redis_sentinels_options){.replicas = 1, .tls = &certificates});
	assert_int_equal(
	    wire_tls_new(&(struct wire_tls_options){.ca_file = certificates.ca, .server_name = CERTIFICATE_NAME},
			 &s.tls),
	    WIRE_OK);
	seed = local("127.0.0.1", redis_server_service_port(&s.servers.sentinels[0]));
	primary = local("127.0.0.1", redis_server_service_port(&s.servers.nodes[0]));
	watch_and_tick(&s, REDIS_SENTINEL_NAME, &seed, 1, NOBODY);
	assert_becomes(has_members(&s, 3, 3), BOUND_MS);
	for (unsigned i = 0; i < 3; i++) {
		struct word w = look(&s, local("127.0.0.1", redis_server_service_port(&s.servers.sentinels[i])));

		assert_true(address_eq(&w.asked, &primary));
	}
	close_scene(&s);
	wire_tls_release(&s.tls);
	tmpdir_remove(&dir);
}

static void asks_more_often_in_a_hurry(void **state)
{
	static struct scene s;
	struct address seed;
	uint64_t now_ms = wire_now_ms();
	unsigned before;

	(void)state;
	open_scene(&s, &(struct redis_sentinels_options){.replicas = 1, .sentinels = 1});
	seed = sentinel_at(&s, 0);
	watch(&s, REDIS_SENTINEL_NAME, &seed, 1, NOBODY);
	assert_becomes((sentinel_tick(s.sentinel, wire_now_ms(), false), has_members(&s, 1, 1)), BOUND_MS);
	/* What was asked when listening began; from here on the test's clock runs. */
	assert_becomes((sentinel_tick(s.sentinel, wire_now_ms(), false), reports(&s, seed, SENTINEL_PRIMARY_IS) >= 2),
		       BOUND_MS);
	for (unsigned i = 1; i <= 10; i++) {
		before = reports(&s, seed, SENTINEL_PRIMARY_IS);
		now_ms = wire_now_ms() + i * 150;
		sentinel_tick(s.sentinel, now_ms, true);
		assert_becomes(reports(&s, seed, SENTINEL_PRIMARY_IS) > before, BOUND_MS);
	}
	before = reports(&s, seed, SENTINEL_PRIMARY_IS);
	for (unsigned i = 1; i <= 20; i++)
		sentinel_tick(s.sentinel, now_ms + i * 30, false);
	assert_int_equal(reports(&s, seed, SENTINEL_PRIMARY_IS), before);
	close_scene(&s);
}

static void ends_at_any_moment(void **state)
{
	static struct scene s;
	struct address seeds[3];

	(void)state;
	open_scene(&s, NULL);
	for (unsigned i = 0; i < 3; i++)
		seeds[i] = sentinel_at(&s, i);
	for (uint32_t i = 0; i < 20; i++) {
		watch_and_tick(&s, REDIS_SENTINEL_NAME, seeds, 1 + i % 3, NOBODY);
		nap_ms(i);
		stop_watching(&s);
	}
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(learns_the_others_from_one),
	    cmocka_unit_test(does_without_a_dead_seed),
	    cmocka_unit_test(sees_a_failover),
	    cmocka_unit_test(outlives_them_all),
	    cmocka_unit_test(reports_a_frozen_one_silent),
	    cmocka_unit_test(says_that_the_name_is_wrong),
	    cmocka_unit_test(says_that_a_login_is_needed),
	    cmocka_unit_test(asks_more_often_in_a_hurry),
	    cmocka_unit_test(speaks_tls),
	    cmocka_unit_test(ends_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
