/* The auth cache over one server, Sentinels and a cluster, by the same tests, with two instances: one caller loads, the
 * others wait; what is forgotten by one instance is forgotten by all, also when the primary changes. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latchkey/v1/auth_cache.pb-c.h"
#include "support/deployment.h"
#include "support/sessions.h"
#include "support/wait.h"

#define INSTANCES 2
/* Of the service, in the default realm: long enough that no test meets an end that it does not make. */
#define CONFIG                                                                                                         \
	"realms:\n"                                                                                                    \
	"  - name: default\n"                                                                                          \
	"    auth: { ttl_s: 600, negative_ttl_s: 600, stale_s: 600, lease_ms: 30000, early_percent: 0 }\n"

static int open_mode(void **state, enum deployment_mode mode)
{
	struct deployment *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	deployment_open(d, &(struct deployment_options){.mode = mode, .instances = INSTANCES, .config = CONFIG});
	*state = d;
	return 0;
}

static int open_standalone(void **state)
{
	return open_mode(state, STANDALONE);
}

static int open_sentinels(void **state)
{
	return open_mode(state, SENTINELS);
}

static int open_cluster(void **state)
{
	return open_mode(state, CLUSTER);
}

static int close_all(void **state)
{
	struct deployment *d = *state;

	deployment_close(d);
	free(d);
	return 0;
}

/* ---- Calls ---- */

#define LEASE_BYTES  128
#define ANSWER_BYTES 64

struct looked {
	Latchkey__V1__Code code;
	Latchkey__V1__AuthState state;
	char answer[ANSWER_BYTES];
	uint8_t lease[LEASE_BYTES];
	size_t lease_len;
};

struct wish {
	const char *subject;
	const char *key;
	const char *group; /* NULL: none */
	uint32_t wait_ms;
	uint32_t lease_ms;
};

static void read_looked(const Latchkey__V1__LookupAuthResponse *m, struct looked *ret)
{
	ret->state = m->state;
	assert_true(m->answer.len < ANSWER_BYTES && m->lease.len <= LEASE_BYTES);
	if (m->answer.len > 0)
		memcpy(ret->answer, m->answer.data, m->answer.len);
	if (m->lease.len > 0)
		memcpy(ret->lease, m->lease.data, m->lease.len);
	ret->lease_len = m->lease.len;
}

static struct looked look_up(struct raw *r, const struct wish *w)
{
	ProtobufCBinaryData group = raw_text(w->group == NULL ? "" : w->group);
	Latchkey__V1__LookupAuthRequest m = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	struct raw_call call = {.method = "/latchkey.v1.AuthCache/Lookup", .request = &m.base};
	struct looked out = {0};
	Latchkey__V1__ReplyFrame *frame;
	Latchkey__V1__LookupAuthResponse *response;

	m.has_subject = m.has_key = m.has_wait_ms = true;
	m.subject = raw_text(w->subject);
	m.key = raw_text(w->key);
	m.n_groups = w->group == NULL ? 0 : 1;
	m.groups = &group;
	m.wait_ms = w->wait_ms;
	m.has_lease_ms = w->lease_ms > 0;
	m.lease_ms = w->lease_ms;
	call.timeout_ms = w->wait_ms + 5000;
	frame = raw_exchange(r, &call, 1);
	out.code = frame->replies[0]->code;
	response = (Latchkey__V1__LookupAuthResponse *)raw_unpack(frame->replies[0],
								  &latchkey__v1__lookup_auth_response__descriptor);
	if (out.code == LATCHKEY__V1__CODE__OK)
		read_looked(response, &out);
	raw_free(response);
	raw_free(frame);
	return out;
}

static Latchkey__V1__AuthState state_of(struct raw *r, const struct wish *w)
{
	const struct looked l = look_up(r, w);

	assert_int_equal(l.code, LATCHKEY__V1__CODE__OK);
	return l.state;
}

static bool fill(struct raw *r, const struct wish *w, const struct looked *l, const char *answer)
{
	Latchkey__V1__FillAuthRequest m = LATCHKEY__V1__FILL_AUTH_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.AuthCache/Fill", .request = &m.base};
	uint8_t lease[LEASE_BYTES];
	Latchkey__V1__FillAuthResponse *response;
	bool is_stored;

	memcpy(lease, l->lease, l->lease_len);
	m.has_subject = m.has_key = m.has_lease = true;
	m.subject = raw_text(w->subject);
	m.key = raw_text(w->key);
	m.lease = (ProtobufCBinaryData){l->lease_len, lease};
	m.has_answer = answer != NULL;
	m.answer = raw_text(answer == NULL ? "" : answer);
	response = (Latchkey__V1__FillAuthResponse *)raw_call_expect(r, LATCHKEY__V1__CODE__OK, &call,
								     &latchkey__v1__fill_auth_response__descriptor);
	is_stored = response->stored;
	raw_free(response);
	return is_stored;
}

static void load(struct raw *r, const struct wish *w, const char *answer)
{
	const struct looked l = look_up(r, w);

	assert_int_equal(l.code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(l.state, LATCHKEY__V1__AUTH_STATE__MISS);
	assert_true(fill(r, w, &l, answer));
}

static Latchkey__V1__Code try_forget(struct raw *r, const char *subject, const char *key, const char *group)
{
	Latchkey__V1__ForgetAuthRequest m = LATCHKEY__V1__FORGET_AUTH_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.AuthCache/Forget", .request = &m.base};
	Latchkey__V1__ReplyFrame *frame;
	Latchkey__V1__Code code;

	m.has_subject = subject != NULL;
	m.has_key = key != NULL;
	m.has_group = group != NULL;
	m.subject = raw_text(subject == NULL ? "" : subject);
	m.key = raw_text(key == NULL ? "" : key);
	m.group = raw_text(group == NULL ? "" : group);
	frame = raw_exchange(r, &call, 1);
	code = frame->replies[0]->code;
	raw_free(frame);
	return code;
}

static void forget(struct raw *r, const char *subject, const char *key, const char *group)
{
	assert_int_equal(try_forget(r, subject, key, group), LATCHKEY__V1__CODE__OK);
}

#define MISS	 LATCHKEY__V1__AUTH_STATE__MISS
#define HIT	 LATCHKEY__V1__AUTH_STATE__HIT
#define NEGATIVE LATCHKEY__V1__AUTH_STATE__NEGATIVE
#define WAIT	 LATCHKEY__V1__AUTH_STATE__WAIT

/* ---- What all modes do ---- */

static void test_answers(void **state)
{
	struct deployment *s = *state;
	struct raw *a = &s->callers[0];
	struct raw *b = &s->callers[1];

	/* Several subjects and groups: of several nodes of a cluster. */
	for (int i = 0; i < 20; i++) {
		char subject[24];
		char group[24];
		struct wish w = {.subject = subject, .key = "k"};
		struct looked l;

		(void)snprintf(subject, sizeof(subject), "ann-%d", i);
		(void)snprintf(group, sizeof(group), "group-%d", i);
		load(a, &w, "yes");
		l = look_up(b, &w);
		assert_int_equal(l.state, HIT);
		assert_string_equal(l.answer, "yes");
		forget(b, subject, "k", NULL);
		load(a, &w, NULL);
		/* In the first seconds what was just forgotten is not believed, loaded anew or not. */
		assert_becomes(state_of(b, &w) == NEGATIVE, BOUND_MS);
		forget(a, subject, NULL, NULL);
		assert_int_equal(state_of(b, &w), MISS);
		assert_int_equal(state_of(a, &w), WAIT);
		w = (struct wish){.subject = subject, .key = "grouped", .group = group};
		load(a, &w, "yes");
		assert_becomes(state_of(b, &w) == HIT, BOUND_MS);
		forget(b, NULL, NULL, group);
		l = look_up(a, &w);
		assert_int_equal(l.state, MISS);
		forget(b, NULL, NULL, group);
		assert_false(fill(a, &w, &l, "old"));
		assert_int_equal(state_of(b, &w), MISS);
	}
}

static void test_logout_everywhere(void **state)
{
	struct deployment *s = *state;
	const struct wish w = {.subject = "leaver", .key = "k"};
	uint32_t revoked;

	load(&s->callers[0], &w, "yes");
	assert_int_equal(session_revoke_user(&s->callers[1], "leaver", &revoked), LATCHKEY__V1__CODE__OK);
	assert_int_equal(state_of(&s->callers[0], &w), MISS);
}

static void test_mistakes(void **state)
{
	struct deployment *s = *state;
	struct raw *r = &s->callers[0];

	assert_int_equal(look_up(r, &(struct wish){.subject = "", .key = "k"}).code,
			 LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(look_up(r, &(struct wish){.subject = "s", .key = "k", .lease_ms = 9}).code,
			 LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(try_forget(r, "s", "", NULL), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(try_forget(r, "s", NULL, "g"), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(try_forget(r, NULL, NULL, NULL), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
}

/* ---- Who waits ---- */

/* What three processes share. */
struct tally {
	_Atomic unsigned asked;
	_Atomic unsigned loads;
	_Atomic unsigned answered;
	_Atomic unsigned wrong;
};

struct waiter {
	const char *url;
	const struct wish *wish;
	struct tally *tally;
	bool is_first_to_die; /* who gets the first lease is never heard of again */
};

/* As a caller does: loads what he is asked to, else waits. */
static void *want(void *arg)
{
	const struct waiter *w = arg;
	struct raw r;

	raw_connect(&r, w->url);
	(void)atomic_fetch_add(&w->tally->asked, 1);
	for (;;) {
		const struct looked l = look_up(&r, w->wish);

		if (l.code == LATCHKEY__V1__CODE__OK && l.state == WAIT)
			continue;
		if (l.code == LATCHKEY__V1__CODE__OK && l.state == MISS && l.lease_len > 0) {
			const unsigned before = atomic_fetch_add(&w->tally->loads, 1);

			if (w->is_first_to_die && before == 0)
				break;
			nap_ms(100);
			if (!fill(&r, w->wish, &l, "loaded"))
				(void)atomic_fetch_add(&w->tally->wrong, 1);
			(void)atomic_fetch_add(&w->tally->answered, 1);
			break;
		}
		if (l.code != LATCHKEY__V1__CODE__OK || l.state != HIT || strcmp(l.answer, "loaded") != 0)
			(void)atomic_fetch_add(&w->tally->wrong, 1);
		else
			(void)atomic_fetch_add(&w->tally->answered, 1);
		break;
	}
	raw_close(&r);
	return NULL;
}

#define PROCESSES 3
#define WANTED	  1000

/* Half of a process's threads with each instance. */
static void run_process(const struct deployment *s, const struct wish *wish, struct tally *tally, unsigned threads,
			bool is_first_to_die)
{
	struct waiter waiters[INSTANCES];
	pthread_t *list = calloc(threads, sizeof(*list));

	for (int i = 0; i < INSTANCES; i++)
		waiters[i] = (struct waiter){
		    .url = s->services[i].url, .wish = wish, .tally = tally, .is_first_to_die = is_first_to_die};
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&list[i], NULL, want, &waiters[i % INSTANCES]) != 0)
			_exit(1);
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(list[i], NULL);
	free(list);
}

/* All at once; returns what they saw. */
static void crowd(const struct deployment *s, const struct wish *wish, bool is_first_to_die, struct tally *ret)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[PROCESSES];

	assert_true(tally != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			run_process(s, wish, tally, WANTED / PROCESSES + (i == 0 ? WANTED % PROCESSES : 0),
				    is_first_to_die);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = 0;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	*ret = (struct tally){atomic_load(&tally->asked), atomic_load(&tally->loads), atomic_load(&tally->answered),
			      atomic_load(&tally->wrong)};
	assert_int_equal(munmap(tally, sizeof(*tally)), 0);
}

static void test_a_thousand_want_a_cold_key(void **state)
{
	const struct wish w = {.subject = "everybody", .key = "cold", .group = "all", .wait_ms = 5000};
	struct deployment *s = *state;
	struct tally t;

	crowd(s, &w, false, &t);
	assert_int_equal(t.asked, WANTED);
	assert_int_equal(t.wrong, 0);
	assert_int_equal(t.loads, 1);
	assert_int_equal(t.answered, WANTED);
}

/* Once more, after the lease. */
static void test_the_holder_dies(void **state)
{
	const struct wish w = {.subject = "everybody", .key = "doomed", .wait_ms = 10000, .lease_ms = 3000};
	struct deployment *s = *state;
	const uint64_t began_ms = now_mono_ms();
	struct tally t;

	crowd(s, &w, true, &t);
	assert_int_equal(t.wrong, 0);
	assert_int_equal(t.loads, 2);
	assert_int_equal(t.answered, WANTED - 1);
	assert_true(now_mono_ms() - began_ms >= 3000);
}

#define CALLS "latchkey_calls_total"

/* Who waits in vain is told so, in time; one whose instance stops, at once. */
static void test_waiting_ends(void **state)
{
	const struct wish holder = {.subject = "ann", .key = "slow"};
	struct wish w = {.subject = "ann", .key = "slow", .wait_ms = 200};
	struct deployment *s = *state;
	Latchkey__V1__LookupAuthRequest m = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.AuthCache/Lookup", .request = &m.base, .timeout_ms = 30000};
	Latchkey__V1__ReplyFrame *frame = NULL;
	Latchkey__V1__LookupAuthResponse *response;
	uint64_t calls;
	struct raw r;

	assert_int_equal(state_of(&s->callers[0], &holder), MISS);
	assert_int_equal(state_of(&s->callers[1], &w), WAIT);
	m.has_subject = m.has_key = m.has_wait_ms = true;
	m.subject = raw_text("ann");
	m.key = raw_text("slow");
	m.wait_ms = 25000;
	raw_connect(&r, s->services[1].url);
	/* Each look is a call itself. */
	calls = server_counter(&s->callers[1], CALLS);
	assert_true(raw_send_calls(&r, 7, &call, 1));
	assert_becomes(server_counter(&s->callers[1], CALLS) > ++calls, BOUND_MS);
	raw_close(&s->callers[1]);
	latchkeyd_stop(&s->services[1]);
	assert_true(raw_receive(&r, NULL, &frame, BOUND_MS));
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	response = (Latchkey__V1__LookupAuthResponse *)raw_unpack(frame->replies[0],
								  &latchkey__v1__lookup_auth_response__descriptor);
	assert_int_equal(response->state, WAIT);
	raw_free(response);
	raw_free(frame);
	raw_close(&r);
	latchkeyd_start_serving(&s->services[1]);
	raw_connect(&s->callers[1], s->services[1].url);
}

static void test_counts_by_realm(void **state)
{
	static const char *const names[] = {"hits", "negatives", "misses", "leases", "waits", "fills", "forgets"};
	struct deployment *s = *state;
	const struct wish w = {.subject = "ann", .key = "counted"};
	const struct wish none = {.subject = "ann", .key = "counted, and not there"};
	const struct wish slow = {.subject = "ann", .key = "counted, and slow"};
	char name[96];

	load(&s->callers[0], &w, "yes");
	assert_int_equal(state_of(&s->callers[0], &w), HIT);
	load(&s->callers[0], &none, NULL);
	assert_int_equal(state_of(&s->callers[0], &none), NEGATIVE);
	assert_int_equal(state_of(&s->callers[0], &slow), MISS);
	assert_int_equal(state_of(&s->callers[0], &slow), WAIT);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(name, sizeof(name), "latchkey_auth_%s_total{realm=\"default\"}", names[i]);
		assert_true(server_counter(&s->callers[0], name) > 0);
	}
}

/* ---- Another primary ---- */

#define SUBJECTS 30

static void subject_of(int i, char out[static 24])
{
	(void)snprintf(out, 24, "mover-%d", i);
}

static void forget_one_way(struct raw *r, int i, const char *subject, const char *group)
{
	Latchkey__V1__Code code = LATCHKEY__V1__CODE__UNAVAILABLE;
	uint32_t revoked;

	while (code != LATCHKEY__V1__CODE__OK) {
		if (i % 4 == 0)
			code = try_forget(r, subject, "k", NULL);
		else if (i % 4 == 1)
			code = try_forget(r, subject, NULL, NULL);
		else if (i % 4 == 2)
			code = try_forget(r, NULL, NULL, group);
		else
			code = session_revoke_user(r, subject, &revoked);
	}
}

/* From the moment that it is acknowledged, by whichever instance, whatever the primaries do. */
static void test_forgotten_stays_forgotten(void **state)
{
	struct deployment *s = *state;
	char subject[24];
	char group[32];

	for (int i = 0; i < SUBJECTS; i++) {
		subject_of(i, subject);
		(void)snprintf(group, sizeof(group), "of-%s", subject);
		load(&s->callers[0], &(struct wish){.subject = subject, .key = "k", .group = group}, "old");
	}
	for (int i = 0; i < SUBJECTS; i++) {
		subject_of(i, subject);
		(void)snprintf(group, sizeof(group), "of-%s", subject);
		forget_one_way(&s->callers[i % INSTANCES], i, subject, group);
	}
	deployment_fail_over(s);
	for (int i = 0; i < 4 * SUBJECTS; i++) {
		struct looked l;

		subject_of(i % SUBJECTS, subject);
		(void)snprintf(group, sizeof(group), "of-%s", subject);
		l = look_up(&s->callers[i / SUBJECTS % INSTANCES],
			    &(struct wish){.subject = subject, .key = "k", .group = group});
		assert_true(l.code != LATCHKEY__V1__CODE__OK || l.state == MISS || l.state == WAIT);
	}
	/* And it is a cache again. */
	for (int i = 0; i < SUBJECTS; i++) {
		struct wish w = {.subject = subject, .key = "anew"};
		struct looked l;

		subject_of(i, subject);
		assert_becomes((l = look_up(&s->callers[0], &w)).code == LATCHKEY__V1__CODE__OK && l.lease_len > 0,
			       BOUND_MS);
		assert_true(fill(&s->callers[0], &w, &l, "new"));
		assert_becomes(look_up(&s->callers[1], &w).state == HIT, BOUND_MS);
	}
}

/* ---- A slot on its way ---- */

static bool goes_as_far_as_the_keys(void *owner, unsigned slots_moved)
{
	unsigned *asked = owner;

	(void)slots_moved;
	return (*asked)++ == 0;
}

/* The only key of this pattern; the node that has it. */
static unsigned find_key(struct redis_cluster *c, const char *pattern, char out[static 64])
{
	for (unsigned node = 0; node < c->count; node++) {
		redisReply *keys = redis_server_command(&c->nodes[node], "KEYS %s", pattern);
		const bool is_it =
		    keys->elements == 1 &&
		    redis_cluster_primary_of_slot(c, redis_cluster_slot_of_key(c, keys->element[0]->str)) == (int)node;

		if (is_it)
			(void)snprintf(out, 64, "%s", keys->element[0]->str);
		freeReplyObject(keys);
		if (is_it)
			return node;
	}
	fail_msg("no key, or several: %s", pattern);
	return 0;
}

static void flush_all(struct redis_cluster *c)
{
	for (unsigned shard = 0; shard < c->shards; shard++)
		freeReplyObject(redis_server_command(&c->nodes[redis_cluster_primary_of_shard(c, shard)], "FLUSHALL"));
}

/* The epoch of a subject is with the new node already, the rest with the old one: nothing fails, nothing is kept, and a
 * logout reaches the epoch. */
static void test_while_a_slot_moves(void **state)
{
	const struct wish w = {.subject = "traveller", .key = "k"};
	struct deployment *s = *state;
	struct redis_cluster *c = &s->cluster;
	unsigned asked = 0;
	struct redis_cluster_move move = {.goes_on = goes_as_far_as_the_keys, .owner = &asked};
	char token[TOKEN_BYTES];
	struct looked l;
	char epoch[64];
	uint32_t revoked;

	flush_all(c);
	/* It has an index with the old node, to which the logout goes therefore. */
	session_create(&s->callers[0], &(struct session_wish){.user = "traveller"}, token);
	load(&s->callers[0], &w, "old");
	move.from = find_key(c, "lk1:f:*", epoch);
	move.first = move.last = redis_cluster_slot_of_key(c, epoch);
	move.to = (unsigned)redis_cluster_primary_of_shard(c, (redis_cluster_shard_of(c, move.from) + 1) % c->shards);
	assert_false(redis_cluster_move_slots(c, &move));
	freeReplyObject(redis_server_command(&c->nodes[move.from], "MIGRATE 127.0.0.1 %u %s 0 5000",
					     redis_server_service_port(&c->nodes[move.to]), epoch));
	l = look_up(&s->callers[0], &w);
	assert_int_equal(l.code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(l.state, MISS);
	assert_int_equal(l.lease_len, 0);
	assert_int_equal(session_revoke_user(&s->callers[1], "traveller", &revoked), LATCHKEY__V1__CODE__OK);
	assert_int_equal(revoked, 1);
	move.goes_on = NULL;
	assert_true(redis_cluster_move_slots(c, &move));
	redis_cluster_wait_well(c);
	assert_becomes((l = look_up(&s->callers[0], &w)).code == LATCHKEY__V1__CODE__OK, BOUND_MS);
	assert_int_equal(l.state, MISS);
	assert_true(fill(&s->callers[0], &w, &l, "new"));
	assert_becomes(look_up(&s->callers[1], &w).state == HIT, BOUND_MS);
}

#define CROWD_FRAMES 200
#define CROWD_CALLS  64

/* A frame as it is on the wire. */
static size_t put_frame(uint8_t *out, uint32_t id, const uint8_t *body, size_t len)
{
	const uint64_t bytes = len + sizeof(id);

	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(bytes >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		out[8 + i] = (uint8_t)((id | RAW_ID_BIT) >> (24 - 8 * i));
	memcpy(out + 12, body, len);
	return 12 + len;
}

static void send_crowd(struct raw *r, const struct raw_call *call)
{
	struct raw_call calls[CROWD_CALLS];
	uint8_t *all;
	uint8_t *one;
	size_t len;
	size_t n = 0;

	for (int i = 0; i < CROWD_CALLS; i++)
		calls[i] = *call;
	one = raw_pack_calls(1, calls, CROWD_CALLS, &len);
	all = malloc(CROWD_FRAMES * (12 + len));
	assert_non_null(all);
	for (uint32_t id = 1; id <= CROWD_FRAMES; id++)
		n += put_frame(all + n, id, one, len);
	assert_true(raw_send_bytes(r, all, n));
	free(all);
	free(one);
}

/* 12,800 want to wait at once, before any of them does: 8,192 may. */
static void test_more_than_may_wait_are_told(void **state)
{
	const struct deployment *s = *state;
	Latchkey__V1__LookupAuthRequest req = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.AuthCache/Lookup", .request = &req.base, .timeout_ms = 30000};
	Latchkey__V1__ReplyFrame *frame = NULL;
	struct raw crowd_of_one;

	req.has_subject = req.has_key = true;
	req.subject = raw_text("wanted");
	req.key = raw_text("by many");
	raw_connect(&crowd_of_one, s->services[0].url);
	raw_free(raw_exchange(&crowd_of_one, &call, 1));
	req.has_wait_ms = true;
	req.wait_ms = 30000;
	send_crowd(&crowd_of_one, &call);
	assert_true(raw_receive(&crowd_of_one, NULL, &frame, BOUND_MS));
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	raw_free(frame);
	raw_close(&crowd_of_one);
}

/* In each mode: its own servers, from first to last. */
#define TESTS                                                                                                          \
	{                                                                                                              \
		cmocka_unit_test(test_answers), cmocka_unit_test(test_logout_everywhere),                              \
		    cmocka_unit_test(test_mistakes), cmocka_unit_test(test_a_thousand_want_a_cold_key),                \
		    cmocka_unit_test(test_the_holder_dies), cmocka_unit_test(test_waiting_ends),                       \
		    cmocka_unit_test(test_counts_by_realm), cmocka_unit_test(test_forgotten_stays_forgotten),          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = TESTS;
	const struct CMUnitTest moving[] = {cmocka_unit_test(test_while_a_slot_moves)};
	const struct CMUnitTest crowded[] = {cmocka_unit_test(test_more_than_may_wait_are_told)};
	int failed = cmocka_run_group_tests_name("standalone", tests, open_standalone, close_all);

	failed += cmocka_run_group_tests_name("sentinels", tests, open_sentinels, close_all);
	failed += cmocka_run_group_tests_name("cluster", tests, open_cluster, close_all);
	failed += cmocka_run_group_tests_name("crowd", crowded, open_standalone, close_all);
	return failed + cmocka_run_group_tests_name("slots", moving, open_cluster, close_all);
}
