/* Profiles and their changes over the wire, by real programs: the same suite on a single Redis, with Sentinels, and on a
 * cluster; and what holds over a failover of each. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/profiles.pb-c.h"
#include "support/deployment.h"
#include "support/wait.h"

#define OK LATCHKEY__V1__CODE__OK
#define CONFIG                                                                                                         \
	"realms:\n"                                                                                                    \
	"  - name: default\n"                                                                                          \
	"    profiles: { tiers: [ { name: short, ttl_s: 600 }, { name: long, ttl_s: 86400 } ], jitter_percent: 5 }\n"  \
	"  - name: followed\n"                                                                                         \
	"    profiles: { changes: true, changes_max: 10000 }\n"

static int open_mode(void **state, enum deployment_mode mode)
{
	struct deployment *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	deployment_open(d, &(struct deployment_options){.mode = mode, .instances = 1, .config = CONFIG});
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

static void *call(struct deployment *s, Latchkey__V1__Code code, const char *method, const ProtobufCMessage *request,
		  const ProtobufCMessageDescriptor *type, const char *idempotency_key)
{
	const struct raw_call c = {
	    .method = method, .request = request, .timeout_ms = 10000, .idempotency_key = idempotency_key};

	return raw_call_expect(&s->callers[0], code, &c, type);
}

/* What a test sets, removes and increments: one of each at most. */
struct wish {
	const char *realm; /* NULL: default */
	const char *user;
	const char *name; /* of the field set */
	const char *value;
	const char *removed;
	const char *counter;
	int64_t by;
	const char *tier;
	int64_t expected; /* -1: none */
	const char *idempotency_key;
};

struct seen {
	uint64_t version;
	int64_t number;
};

static bool optional(const char *text, ProtobufCBinaryData *out)
{
	if (text != NULL)
		*out = raw_text(text);
	return text != NULL;
}

static struct seen update(struct deployment *s, Latchkey__V1__Code code, const struct wish *w)
{
	Latchkey__V1__UpdateProfileRequest req = LATCHKEY__V1__UPDATE_PROFILE_REQUEST__INIT;
	Latchkey__V1__ProfileField field = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField *fields[] = {&field};
	Latchkey__V1__ProfileIncrement one = LATCHKEY__V1__PROFILE_INCREMENT__INIT;
	Latchkey__V1__ProfileIncrement *increments[] = {&one};
	Latchkey__V1__UpdateProfileResponse *response;
	ProtobufCBinaryData removed;
	struct seen seen = {0};

	req.has_realm = optional(w->realm, &req.realm);
	req.has_user = optional(w->user, &req.user);
	req.has_tier = optional(w->tier, &req.tier);
	req.has_expected_version = w->expected >= 0;
	req.expected_version = (uint64_t)w->expected;
	if ((field.has_name = optional(w->name, &field.name))) {
		field.has_value = optional(w->value, &field.value);
		req.set = fields;
		req.n_set = 1;
	}
	if (optional(w->removed, &removed)) {
		req.remove = &removed;
		req.n_remove = 1;
	}
	if ((one.has_name = optional(w->counter, &one.name))) {
		one.has_by = true;
		one.by = w->by;
		req.increment = increments;
		req.n_increment = 1;
	}
	response = call(s, code, "/latchkey.v1.Profiles/Update", &req.base,
			&latchkey__v1__update_profile_response__descriptor, w->idempotency_key);
	if (response != NULL) {
		seen.version = response->version;
		if (response->n_counters > 0)
			seen.number = response->counters[0]->number;
	}
	raw_free(response);
	return seen;
}

static uint64_t put(struct deployment *s, const char *realm, const char *user, const char *name, const char *value)
{
	Latchkey__V1__PutProfileRequest req = LATCHKEY__V1__PUT_PROFILE_REQUEST__INIT;
	Latchkey__V1__ProfileField field = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField *fields[] = {&field};
	Latchkey__V1__PutProfileResponse *response;
	uint64_t version;

	req.has_realm = optional(realm, &req.realm);
	req.has_user = optional(user, &req.user);
	field.has_name = optional(name, &field.name);
	field.has_value = optional(value, &field.value);
	req.fields = fields;
	req.n_fields = 1;
	response =
	    call(s, OK, "/latchkey.v1.Profiles/Put", &req.base, &latchkey__v1__put_profile_response__descriptor, NULL);
	version = response->version;
	raw_free(response);
	return version;
}

static bool delete (struct deployment *s, const char *realm, const char *user)
{
	Latchkey__V1__DeleteProfileRequest req = LATCHKEY__V1__DELETE_PROFILE_REQUEST__INIT;
	Latchkey__V1__DeleteProfileResponse *response;
	bool deleted;

	req.has_realm = optional(realm, &req.realm);
	req.has_user = optional(user, &req.user);
	response = call(s, OK, "/latchkey.v1.Profiles/Delete", &req.base,
			&latchkey__v1__delete_profile_response__descriptor, NULL);
	deleted = response->deleted;
	raw_free(response);
	return deleted;
}

/* To be freed; field NULL: all. */
static Latchkey__V1__GetProfileResponse *get(struct deployment *s, const char *realm, const char *user,
					     const char *field)
{
	Latchkey__V1__GetProfileRequest req = LATCHKEY__V1__GET_PROFILE_REQUEST__INIT;
	ProtobufCBinaryData name;

	req.has_realm = optional(realm, &req.realm);
	req.has_user = optional(user, &req.user);
	if (optional(field, &name)) {
		req.fields = &name;
		req.n_fields = 1;
	}
	return call(s, OK, "/latchkey.v1.Profiles/Get", &req.base, &latchkey__v1__get_profile_response__descriptor,
		    NULL);
}

static void expect(struct deployment *s, const char *realm, const char *user, const char *field, const char *value)
{
	Latchkey__V1__GetProfileResponse *response = get(s, realm, user, field);

	assert_int_equal(response->n_fields, value == NULL ? 0 : 1);
	if (value != NULL) {
		assert_int_equal(response->fields[0]->value.len, strlen(value));
		assert_memory_equal(response->fields[0]->value.data, value, strlen(value));
	}
	raw_free(response);
}

/* To be freed. */
static Latchkey__V1__ProfileChangesResponse *changes(struct deployment *s, const char *group, uint32_t max,
						     uint32_t redeliver_ms, uint32_t deliveries_max)
{
	Latchkey__V1__ProfileChangesRequest req = LATCHKEY__V1__PROFILE_CHANGES_REQUEST__INIT;

	req.has_realm = optional("followed", &req.realm);
	req.has_group = optional(group, &req.group);
	req.has_consumer = optional("c", &req.consumer);
	req.has_max = true;
	req.max = max;
	req.has_redeliver_ms = true;
	req.redeliver_ms = redeliver_ms;
	req.has_deliveries_max = true;
	req.deliveries_max = deliveries_max;
	return call(s, OK, "/latchkey.v1.Profiles/Changes", &req.base,
		    &latchkey__v1__profile_changes_response__descriptor, NULL);
}

static uint32_t acknowledge(struct deployment *s, const char *group, Latchkey__V1__ProfileChange *const *list,
			    size_t count)
{
	Latchkey__V1__AckProfileChangesRequest req = LATCHKEY__V1__ACK_PROFILE_CHANGES_REQUEST__INIT;
	ProtobufCBinaryData *ids = calloc(count, sizeof(*ids));
	Latchkey__V1__AckProfileChangesResponse *response;
	uint32_t acknowledged;

	for (size_t i = 0; i < count; i++)
		ids[i] = list[i]->id;
	req.has_realm = optional("followed", &req.realm);
	req.has_group = optional(group, &req.group);
	req.ids = ids;
	req.n_ids = count;
	response = call(s, OK, "/latchkey.v1.Profiles/AckChanges", &req.base,
			&latchkey__v1__ack_profile_changes_response__descriptor, NULL);
	acknowledged = response->acknowledged;
	raw_free(response);
	free(ids);
	return acknowledged;
}

static Latchkey__V1__DeadProfileChangesResponse *dead(struct deployment *s, const char *group)
{
	Latchkey__V1__DeadProfileChangesRequest req = LATCHKEY__V1__DEAD_PROFILE_CHANGES_REQUEST__INIT;

	req.has_realm = optional("followed", &req.realm);
	req.has_group = optional(group, &req.group);
	return call(s, OK, "/latchkey.v1.Profiles/DeadChanges", &req.base,
		    &latchkey__v1__dead_profile_changes_response__descriptor, NULL);
}

/* ---- Tests, on each scene ---- */

static void fields_come_and_go(void **state)
{
	struct deployment *s = *state;
	Latchkey__V1__GetProfileResponse *got;
	struct seen seen;

	assert_int_equal(put(s, NULL, "ann", "name", "Ann"), 1);
	seen = update(
	    s, OK,
	    &(struct wish){.user = "ann", .name = "town", .value = "Rye", .counter = "n", .by = 3, .expected = 1});
	assert_true(seen.version == 2 && seen.number == 3);
	seen = update(s, OK, &(struct wish){.user = "ann", .removed = "town", .counter = "n", .by = 4, .expected = -1});
	assert_true(seen.version == 3 && seen.number == 7);
	got = get(s, NULL, "ann", NULL);
	assert_true(got->found && got->version == 3 && got->n_fields == 2);
	assert_memory_equal(got->fields[0]->name.data, "n", 1);
	assert_true(got->fields[0]->has_number && got->fields[0]->number == 7);
	assert_memory_equal(got->fields[1]->value.data, "Ann", 3);
	assert_true(got->expires_at_ms > 0);
	raw_free(got);
	assert_true(delete (s, NULL, "ann"));
	got = get(s, NULL, "ann", NULL);
	assert_false(got->found);
	raw_free(got);
}

static void refusals_have_their_codes(void **state)
{
	struct deployment *s = *state;
	struct wish w = {.user = "bob", .name = "name", .value = "Bob", .expected = 0};

	assert_int_equal(update(s, OK, &w).version, 1);
	assert_int_equal(update(s, LATCHKEY__V1__CODE__ABORTED, &w).version, 1);
	w = (struct wish){.user = "bob", .counter = "name", .by = 1, .expected = -1};
	(void)update(s, LATCHKEY__V1__CODE__FAILED_PRECONDITION, &w);
	w = (struct wish){.user = "bob", .counter = "n", .by = INT64_MAX, .expected = -1};
	assert_true(update(s, OK, &w).number == INT64_MAX);
	(void)update(s, LATCHKEY__V1__CODE__OUT_OF_RANGE, &w);
	w = (struct wish){.user = "bob", .tier = "unheard-of", .expected = -1};
	(void)update(s, LATCHKEY__V1__CODE__INVALID_ARGUMENT, &w);
	w = (struct wish){.user = "bob", .expected = -1};
	(void)update(s, LATCHKEY__V1__CODE__INVALID_ARGUMENT, &w);
	w = (struct wish){.user = "bob", .name = "neither", .expected = -1};
	(void)update(s, LATCHKEY__V1__CODE__INVALID_ARGUMENT, &w);
	expect(s, NULL, "bob", "name", "Bob");
}

/* As many fields as there may be, in one call: more than any other message carries. */
static void the_largest_profile_is_put_by_one_call(void **state)
{
	enum { FIELDS = 256 };
	static Latchkey__V1__ProfileField fields[FIELDS + 1];
	static Latchkey__V1__ProfileField *list[FIELDS + 1];
	static char names[FIELDS + 1][16];
	static char value[] =
	    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
	Latchkey__V1__PutProfileRequest req = LATCHKEY__V1__PUT_PROFILE_REQUEST__INIT;
	struct deployment *s = *state;
	Latchkey__V1__GetProfileResponse *got;

	for (int i = 0; i <= FIELDS; i++) {
		snprintf(names[i], sizeof(names[i]), "f%03d", i);
		latchkey__v1__profile_field__init(&fields[i]);
		fields[i].has_name = optional(names[i], &fields[i].name);
		fields[i].has_value = optional(value, &fields[i].value);
		list[i] = &fields[i];
	}
	req.has_user = optional("large", &req.user);
	req.fields = list;
	req.n_fields = FIELDS;
	raw_free(
	    call(s, OK, "/latchkey.v1.Profiles/Put", &req.base, &latchkey__v1__put_profile_response__descriptor, NULL));
	got = get(s, NULL, "large", NULL);
	assert_int_equal(got->n_fields, FIELDS);
	raw_free(got);
	req.n_fields = FIELDS + 1;
	raw_free(call(s, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "/latchkey.v1.Profiles/Put", &req.base, NULL, NULL));
}

static void an_idempotency_key_counts_once(void **state)
{
	struct deployment *s = *state;
	struct wish w = {.user = "eve", .counter = "n", .by = 5, .expected = -1, .idempotency_key = "once"};

	for (int i = 0; i < 3; i++)
		assert_true(update(s, OK, &w).number == 5);
	w.by = 6;
	(void)update(s, LATCHKEY__V1__CODE__ALREADY_EXISTS, &w);
	w.idempotency_key = NULL;
	assert_true(update(s, OK, &w).number == 11);
}

/* Users in many slots, one stream. */
static void changes_are_followed(void **state)
{
	enum { USERS = 12 };
	struct deployment *s = *state;
	Latchkey__V1__ProfileChangesResponse *got;
	char user[24];

	for (int i = 0; i < USERS; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		(void)put(s, "followed", user, "name", user);
		(void)update(
		    s, OK, &(struct wish){.realm = "followed", .user = user, .counter = "n", .by = i, .expected = -1});
	}
	assert_true(delete (s, "followed", "user0"));
	got = changes(s, "writer", 256, 60000, 5);
	assert_int_equal(got->n_changes, 2 * USERS + 1);
	for (int i = 0; i < USERS; i++) {
		const Latchkey__V1__ProfileChange *first = got->changes[2 * i];
		const Latchkey__V1__ProfileChange *second = got->changes[2 * i + 1];

		snprintf(user, sizeof(user), "user%d", i);
		assert_int_equal(first->kind, LATCHKEY__V1__PROFILE_CHANGE_KIND__PROFILE_PUT);
		assert_int_equal(first->user.len, strlen(user));
		assert_memory_equal(first->user.data, user, strlen(user));
		assert_memory_equal(first->set[0]->value.data, user, strlen(user));
		assert_true(first->version == 1 && second->version == 2);
		assert_true(second->set[0]->number == i);
	}
	assert_int_equal(got->changes[2 * USERS]->kind, LATCHKEY__V1__PROFILE_CHANGE_KIND__PROFILE_DELETED);
	assert_int_equal(acknowledge(s, "writer", got->changes, got->n_changes), 2 * USERS + 1);
	raw_free(got);
	got = changes(s, "writer", 256, 0, 5);
	assert_int_equal(got->n_changes, 0);
	raw_free(got);
}

static void the_unacknowledged_come_again_and_die(void **state)
{
	struct deployment *s = *state;
	Latchkey__V1__ProfileChangesResponse *got;
	Latchkey__V1__DeadProfileChangesResponse *lost;

	got = changes(s, "slow", 256, 60000, 2);
	assert_int_equal(acknowledge(s, "slow", got->changes, got->n_changes), got->n_changes);
	raw_free(got);
	(void)put(s, "followed", "fred", "name", "Fred");
	for (uint32_t i = 1; i <= 2; i++) {
		got = changes(s, "slow", 256, 0, 2);
		assert_int_equal(got->n_changes, 1);
		assert_int_equal(got->changes[0]->deliveries, i);
		raw_free(got);
	}
	got = changes(s, "slow", 256, 0, 2);
	assert_true(got->n_changes == 0 && got->died == 1);
	raw_free(got);
	lost = dead(s, "slow");
	assert_int_equal(lost->n_changes, 1);
	assert_memory_equal(lost->changes[0]->user.data, "fred", 4);
	assert_int_equal(acknowledge(s, "slow", lost->changes, 1), 1);
	raw_free(lost);
	lost = dead(s, "slow");
	assert_int_equal(lost->n_changes, 0);
	raw_free(lost);
}

/* More than one answer may bring: it comes in turns, each of which fits a frame. */
static void large_changes_come_in_turns(void **state)
{
	enum { CHANGES = 40, VALUE_BYTES = 15000 };
	struct deployment *s = *state;
	Latchkey__V1__ProfileChangesResponse *got;
	char *value = calloc(1, VALUE_BYTES + 1);
	size_t count;
	size_t sum = 0;

	do {
		got = changes(s, "large", 256, 60000, 5);
		count = got->n_changes;
		raw_free(got);
	} while (count > 0);
	for (int i = 0; i < CHANGES; i++) {
		memset(value, 'a' + i % 26, VALUE_BYTES);
		(void)put(s, "followed", "bulky", "essay", value);
	}
	do {
		got = changes(s, "large", 256, 60000, 5);
		count = got->n_changes;
		sum += count;
		assert_true(count < CHANGES);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(got->changes[i]->set[0]->value.len, VALUE_BYTES);
		raw_free(got);
	} while (count > 0);
	assert_int_equal(sum, CHANGES);
	free(value);
}

static void a_realm_without_changes_says_so(void **state)
{
	struct deployment *s = *state;
	Latchkey__V1__ProfileChangesRequest req = LATCHKEY__V1__PROFILE_CHANGES_REQUEST__INIT;

	req.has_group = optional("g", &req.group);
	req.has_consumer = optional("c", &req.consumer);
	raw_free(
	    call(s, LATCHKEY__V1__CODE__FAILED_PRECONDITION, "/latchkey.v1.Profiles/Changes", &req.base, NULL, NULL));
}

/* ---- Over a failover ---- */

/* As it happens: what the primary has not handed on is lost with it. */
static void lose_a_primary(struct deployment *s)
{
	switch (s->mode) {
	case STANDALONE:
		break;
	case SENTINELS:
		redis_sentinels_kill(&s->sentinels, (unsigned)redis_sentinels_primary(&s->sentinels));
		break;
	case CLUSTER:
		redis_cluster_kill(&s->cluster, (unsigned)redis_cluster_primary_of_shard(&s->cluster, 0));
		break;
	}
}

#define WALKERS 20

struct walk {
	Latchkey__V1__UpdateProfileRequest request;
	Latchkey__V1__ProfileIncrement one;
	Latchkey__V1__ProfileIncrement *list[1];
	char user[24];
	char key[48];
	bool is_done;
};

static void prepare(struct walk *w, int i, int round)
{
	snprintf(w->user, sizeof(w->user), "walker%d", i);
	snprintf(w->key, sizeof(w->key), "walker%d-%d", i, round);
	latchkey__v1__update_profile_request__init(&w->request);
	latchkey__v1__profile_increment__init(&w->one);
	w->request.has_realm = optional("followed", &w->request.realm);
	w->request.has_user = optional(w->user, &w->request.user);
	w->one.has_name = optional("n", &w->one.name);
	w->list[0] = &w->one;
	w->request.increment = w->list;
	w->request.n_increment = 1;
	w->is_done = false;
}

/* Sends what is not done yet in one frame, and something happens before it is answered; how many are done. */
static size_t send_all(struct deployment *s, struct walk *walks, void (*meanwhile)(struct deployment *s))
{
	struct raw_call calls[WALKERS];
	struct walk *of[WALKERS];
	Latchkey__V1__ReplyFrame *frame = NULL;
	size_t done = 0;
	size_t n = 0;

	for (int i = 0; i < WALKERS; i++) {
		if (walks[i].is_done)
			continue;
		of[n] = &walks[i];
		calls[n++] = (struct raw_call){.method = "/latchkey.v1.Profiles/Update",
					       .request = &walks[i].request.base,
					       .timeout_ms = 5000,
					       .idempotency_key = walks[i].key};
	}
	assert_true(raw_send_calls(&s->callers[0], 1, calls, n));
	if (meanwhile != NULL)
		meanwhile(s);
	assert_true(raw_receive(&s->callers[0], NULL, &frame, BOUND_MS));
	assert_int_equal(frame->n_replies, n);
	for (size_t i = 0; i < n; i++)
		done += of[i]->is_done = frame->replies[i]->code == OK;
	raw_free(frame);
	return done;
}

/* Adds one to each walker's counter, with a key, and again until it is acknowledged: each must count once. */
static void add_to_all(struct deployment *s, int round, void (*meanwhile)(struct deployment *s))
{
	static struct walk walks[WALKERS];
	size_t done = 0;

	for (int i = 0; i < WALKERS; i++)
		prepare(&walks[i], i, round);
	for (int tries = 0; done < WALKERS && tries < 20; tries++)
		done += send_all(s, walks, tries == 0 ? meanwhile : NULL);
	assert_int_equal(done, WALKERS);
}

static void increments_survive_a_failover_once(void **state)
{
	enum { USERS = WALKERS, ROUNDS = 7 };
	struct deployment *s = *state;
	size_t told[USERS][ROUNDS + 1] = {{0}};
	Latchkey__V1__ProfileChangesResponse *got;
	size_t count;

	do {
		got = changes(s, "counter", 256, 60000, 5);
		count = got->n_changes;
		raw_free(got);
	} while (count > 0);
	for (int round = 0; round < ROUNDS; round++) {
		add_to_all(s, round, round == 2 ? deployment_fail_over : round == 4 ? lose_a_primary : NULL);
	}
	for (int i = 0; i < USERS; i++) {
		Latchkey__V1__GetProfileResponse *profile;
		char user[24];

		snprintf(user, sizeof(user), "walker%d", i);
		profile = get(s, "followed", user, "n");
		assert_int_equal(profile->n_fields, 1);
		assert_true(profile->fields[0]->number == ROUNDS);
		raw_free(profile);
	}
	do {
		got = changes(s, "counter", 256, 60000, 5);
		count = got->n_changes;
		for (size_t i = 0; i < count; i++) {
			const ProtobufCBinaryData name = got->changes[i]->user;
			char text[24];
			int user;
			int64_t number;

			snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.data);
			/* That others were handed out already is a thing that a failover may lose. */
			if (sscanf(text, "walker%d", &user) != 1)
				continue;
			number = got->changes[i]->set[0]->number;
			assert_in_range(user, 0, USERS - 1);
			assert_in_range(number, 1, ROUNDS);
			told[user][number]++;
		}
		raw_free(got);
	} while (count > 0);
	for (int i = 0; i < USERS; i++)
		for (int n = 1; n <= ROUNDS; n++)
			assert_true(told[i][n] > 0);
}

/* ---- Only where there is one server to look into ---- */

static void nothing_stands_in_clear(void **state)
{
	struct deployment *s = *state;
	redisReply *keys;
	char *log;

	(void)put(s, "followed", "secretive", "hobby", "philately");
	raw_free(changes(s, "magpies", 1, 60000, 5));
	keys = redis_server_command(&s->single, "KEYS *");
	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *dump = redis_server_command(&s->single, "DUMP %s", keys->element[i]->str);

		for (size_t w = 0; w < 4; w++) {
			static const char *const words[] = {"secretive", "hobby", "philately", "magpies"};

			assert_null(memmem(dump->str, dump->len, words[w], strlen(words[w])));
			assert_null(strstr(keys->element[i]->str, words[w]));
		}
		freeReplyObject(dump);
	}
	freeReplyObject(keys);
	log = latchkeyd_log(&s->services[0]);
	assert_null(strstr(log, "philately"));
	assert_null(strstr(log, "secretive"));
	free(log);
}

/* A get is one command, a change is one, and three where changes are followed. */
static void calls_are_as_few_commands_as_they_say(void **state)
{
	struct deployment *s = *state;
	redisContext *c = redis_server_connect(&s->single);
	long long before;

	(void)put(s, "followed", "thrifty", "a", "1");
	before = redis_command_calls(c, "evalsha");
	(void)put(s, NULL, "thrifty", "a", "1");
	assert_int_equal(redis_command_calls(c, "evalsha") - before, 1);
	expect(s, NULL, "thrifty", "a", "1");
	assert_int_equal(redis_command_calls(c, "evalsha") - before, 2);
	(void)put(s, "followed", "thrifty", "a", "2");
	assert_int_equal(redis_command_calls(c, "evalsha") - before, 5);
	redisFree(c);
}

#define ON_EACH_SCENE                                                                                                  \
	cmocka_unit_test(fields_come_and_go), cmocka_unit_test(refusals_have_their_codes),                             \
	    cmocka_unit_test(the_largest_profile_is_put_by_one_call),                                                  \
	    cmocka_unit_test(an_idempotency_key_counts_once), cmocka_unit_test(changes_are_followed),                  \
	    cmocka_unit_test(the_unacknowledged_come_again_and_die), cmocka_unit_test(large_changes_come_in_turns),    \
	    cmocka_unit_test(a_realm_without_changes_says_so), cmocka_unit_test(increments_survive_a_failover_once)

int main(void)
{
	const struct CMUnitTest standalone[] = {ON_EACH_SCENE, cmocka_unit_test(nothing_stands_in_clear),
						cmocka_unit_test(calls_are_as_few_commands_as_they_say)};
	const struct CMUnitTest sentinel[] = {ON_EACH_SCENE};
	const struct CMUnitTest cluster[] = {ON_EACH_SCENE};

	return cmocka_run_group_tests_name("standalone", standalone, open_standalone, close_all) +
	       cmocka_run_group_tests_name("sentinel", sentinel, open_sentinels, close_all) +
	       cmocka_run_group_tests_name("cluster", cluster, open_cluster, close_all);
}
