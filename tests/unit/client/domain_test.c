/* Profiles, visitors, the auth cache, limits and locks: requests as they reach a server, and its answers as results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"
#include "latchkey/auth.h"
#include "latchkey/limit.h"
#include "latchkey/lock.h"
#include "latchkey/profile.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "latchkey/visitors.h"

/* The last request, and what it is answered with. */
static struct {
	char method[64];
	uint8_t body[65536];
	size_t body_bytes;
	bool has_key;
	uint32_t timeout_ms;
	Latchkey__V1__Code code;
	const ProtobufCMessage *answer;
} seen;

static struct fake_server server;
static lk_client *client;

static void keep(const struct fake_call *call)
{
	const Latchkey__V1__Call *given = call->call;

	if (given->body.len > sizeof(seen.body))
		abort();
	(void)snprintf(seen.method, sizeof(seen.method), "%.*s", (int)given->method.len,
		       (const char *)given->method.data);
	if (given->body.len > 0)
		memcpy(seen.body, given->body.data, given->body.len);
	seen.body_bytes = given->body.len;
	seen.has_key = given->has_idempotency_key;
	seen.timeout_ms = given->timeout_ms;
	fake_reply(call->channel, call->route, seen.code, "as told", seen.answer, 0);
}

static int open_all(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", keep, NULL);
	options.realm = "shop";
	client = open_to(&options, fake_url(&server), NULL);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	lk_client_close(&client);
	fake_stop(&server);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	return 0;
}

static void *unpack(const ProtobufCMessageDescriptor *descriptor, const char *method, bool has_key)
{
	void *message = protobuf_c_message_unpack(descriptor, NULL, seen.body_bytes, seen.body);

	assert_string_equal(seen.method, method);
	assert_int_equal(seen.has_key, has_key);
	assert_non_null(message);
	return message;
}

static void done_with(void *message)
{
	protobuf_c_message_free_unpacked(message, NULL);
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static void assert_bytes(ProtobufCBinaryData bytes, const char *text)
{
	assert_int_equal(bytes.len, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.len);
}

/* ---- Profiles ---- */

static const struct lk_profile_field two_fields[] = {
    {{"theme", 5}, {"", 0}, 0, false},
    {{"visits", 6}, {NULL, 0}, -3, true},
};

static void a_profile_is_put(void **state)
{
	Latchkey__V1__PutProfileResponse response = LATCHKEY__V1__PUT_PROFILE_RESPONSE__INIT;
	struct lk_profile_put_request request = LK_PROFILE_PUT_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	Latchkey__V1__PutProfileRequest *m;
	uint64_t version = 0;

	(void)state;
	response.has_version = true;
	response.version = 9;
	seen.answer = &response.base;
	request.user = lk_text("ann");
	request.fields = two_fields;
	request.field_count = 2;
	request.expect_none = true;
	request.tier = "long";
	assert_int_equal(lk_profile_put(client, &request, &version, NULL), LK_OK);
	assert_int_equal(version, 9);
	m = unpack(&latchkey__v1__put_profile_request__descriptor, "/latchkey.v1.Profiles/Put", true);
	assert_bytes(m->realm, "shop");
	assert_bytes(m->user, "ann");
	assert_bytes(m->tier, "long");
	assert_true(m->has_expected_version && m->expected_version == 0);
	assert_int_equal(m->n_fields, 2);
	/* Empty is a value; a counter has none. */
	assert_true(m->fields[0]->has_value && !m->fields[0]->has_number && m->fields[0]->value.len == 0);
	assert_true(!m->fields[1]->has_value && m->fields[1]->has_number);
	assert_int_equal(m->fields[1]->number, -3);
	done_with(m);
	/* Another version is stored, or none. */
	seen.code = LATCHKEY__V1__CODE__ABORTED;
	assert_int_equal(lk_profile_put(client, &request, &version, &error), LK_E_CONFLICT);
	assert_int_equal(error.version, 9);
	/* A success that does not say which. */
	seen.code = LATCHKEY__V1__CODE__OK;
	response.has_version = false;
	response.version = 0;
	assert_int_equal(lk_profile_put(client, &request, NULL, NULL), LK_E_PROTOCOL);
	request.field_count = 257;
	assert_int_equal(lk_profile_put(client, &request, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_string_equal(error.message, "257 fields in one request, at most 256");
}

static void a_profile_is_got(void **state)
{
	Latchkey__V1__ProfileField theme = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField visits = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField *fields[] = {&theme, &visits};
	Latchkey__V1__GetProfileResponse response = LATCHKEY__V1__GET_PROFILE_RESPONSE__INIT;
	struct lk_profile_get_request request = LK_PROFILE_GET_REQUEST_INIT;
	const struct lk_bytes wanted[] = {{"theme", 5}, {"visits", 6}};
	struct lk_profile_field field;
	Latchkey__V1__GetProfileRequest *m;
	lk_profile *profile = NULL;

	(void)state;
	theme.has_name = theme.has_value = visits.has_name = visits.has_number = true;
	theme.name = bytes_of("theme");
	theme.value = bytes_of("");
	visits.name = bytes_of("visits");
	visits.number = INT64_MIN;
	response.has_found = response.found = response.has_version = response.has_expires_at_ms = true;
	response.version = 4;
	response.expires_at_ms = 1700000000123;
	response.n_fields = 2;
	response.fields = fields;
	seen.answer = &response.base;
	request.realm = "other";
	request.user = lk_text("ann");
	request.fields = wanted;
	request.field_count = 2;
	request.staleness_ms = 50;
	assert_int_equal(lk_profile_get(client, &request, &profile, NULL), LK_OK);
	m = unpack(&latchkey__v1__get_profile_request__descriptor, "/latchkey.v1.Profiles/Get", false);
	assert_bytes(m->realm, "other");
	assert_int_equal(m->n_fields, 2);
	assert_bytes(m->fields[1], "visits");
	assert_int_equal(m->staleness_ms, 50);
	done_with(m);
	assert_true(lk_profile_found(profile));
	assert_int_equal(lk_profile_version(profile), 4);
	assert_int_equal(lk_profile_expires_at_ms(profile), 1700000000123);
	assert_int_equal(lk_profile_field_count(profile), 2);
	/* Empty, and there: not NULL. */
	assert_true(lk_profile_field(profile, "theme", &field));
	assert_non_null(field.value.data);
	assert_int_equal(field.value.len, 0);
	assert_false(field.is_counter);
	field = lk_profile_field_at(profile, 1);
	assert_true(field.is_counter);
	assert_true(field.number == INT64_MIN);
	assert_false(lk_profile_field(profile, "them", NULL));
	assert_null(lk_profile_field_at(profile, 2).name.data);
	lk_profile_free(&profile);
	assert_null(profile);
	/* None is an answer; silence is not. */
	response = (Latchkey__V1__GetProfileResponse)LATCHKEY__V1__GET_PROFILE_RESPONSE__INIT;
	assert_int_equal(lk_profile_get(client, &request, &profile, NULL), LK_E_PROTOCOL);
	response.has_found = true;
	assert_int_equal(lk_profile_get(client, &request, &profile, NULL), LK_OK);
	assert_false(lk_profile_found(profile));
	lk_profile_free(&profile);
}

static void a_profile_is_updated(void **state)
{
	Latchkey__V1__ProfileField visits = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField *counters[] = {&visits};
	Latchkey__V1__UpdateProfileResponse response = LATCHKEY__V1__UPDATE_PROFILE_RESPONSE__INIT;
	struct lk_profile_update_request request = LK_PROFILE_UPDATE_REQUEST_INIT;
	const struct lk_profile_increment increment = {{"visits", 6}, -2};
	const struct lk_bytes remove = {"old", 3};
	Latchkey__V1__UpdateProfileRequest *m;
	lk_profile *changed = NULL;
	uint64_t version = 0;

	(void)state;
	visits.has_name = visits.has_number = true;
	visits.name = bytes_of("visits");
	visits.number = 40;
	response.has_version = true;
	response.version = 5;
	response.n_counters = 1;
	response.counters = counters;
	seen.answer = &response.base;
	request.user = lk_text("ann");
	request.set = two_fields;
	request.set_count = 1;
	request.remove = &remove;
	request.remove_count = 1;
	request.increment = &increment;
	request.increment_count = 1;
	request.expected_version = 4;
	assert_int_equal(lk_profile_update(client, &request, &version, &changed, NULL), LK_OK);
	assert_int_equal(version, 5);
	assert_int_equal(lk_profile_field_at(changed, 0).number, 40);
	lk_profile_free(&changed);
	m = unpack(&latchkey__v1__update_profile_request__descriptor, "/latchkey.v1.Profiles/Update", true);
	assert_int_equal(m->n_set, 1);
	assert_bytes(m->remove[0], "old");
	assert_int_equal(m->increment[0]->by, -2);
	assert_int_equal(m->expected_version, 4);
	assert_false(m->has_tier);
	done_with(m);
	/* Outputs that are not wanted. */
	assert_int_equal(lk_profile_update(client, &request, NULL, NULL, NULL), LK_OK);
	request.increment_count = 65;
	assert_int_equal(lk_profile_update(client, &request, NULL, NULL, NULL), LK_E_INVALID_ARGUMENT);
}

static void a_profile_is_deleted(void **state)
{
	Latchkey__V1__DeleteProfileResponse response = LATCHKEY__V1__DELETE_PROFILE_RESPONSE__INIT;
	struct lk_profile_delete_request request = LK_PROFILE_DELETE_REQUEST_INIT;
	bool deleted = false;

	(void)state;
	response.has_deleted = response.deleted = true;
	seen.answer = &response.base;
	request.user = lk_text("ann");
	assert_int_equal(lk_profile_delete(client, &request, &deleted, NULL), LK_OK);
	assert_true(deleted);
	done_with(unpack(&latchkey__v1__delete_profile_request__descriptor, "/latchkey.v1.Profiles/Delete", true));
}

static void expect_change(const lk_change *change)
{
	assert_string_equal(lk_change_id(change).data, "7-0");
	assert_int_equal(lk_change_kind_of(change), LK_CHANGE_UPDATED);
	assert_string_equal(lk_change_kind_name(lk_change_kind_of(change)), "UPDATED");
	assert_string_equal(lk_change_user(change).data, "ann");
	assert_int_equal(lk_change_version(change), 5);
	assert_int_equal(lk_change_created_at_ms(change), 1690000000123);
	assert_int_equal(lk_change_at_ms(change), 1700000000123);
	assert_int_equal(lk_change_deliveries(change), 2);
	assert_int_equal(lk_change_set_count(change), 1);
	assert_string_equal(lk_change_set_at(change, 0).value.data, "dark");
	assert_null(lk_change_set_at(change, 1).name.data);
	assert_int_equal(lk_change_removed_count(change), 1);
	assert_string_equal(lk_change_removed_at(change, 0).data, "old");
	assert_null(lk_change_removed_at(change, 1).data);
}

static void changes_are_handed_out(void **state)
{
	Latchkey__V1__ProfileField theme = LATCHKEY__V1__PROFILE_FIELD__INIT;
	Latchkey__V1__ProfileField *set[] = {&theme};
	ProtobufCBinaryData removed = bytes_of("old");
	Latchkey__V1__ProfileChange change = LATCHKEY__V1__PROFILE_CHANGE__INIT;
	Latchkey__V1__ProfileChange newer = LATCHKEY__V1__PROFILE_CHANGE__INIT;
	Latchkey__V1__ProfileChange *both[] = {&change, &newer};
	Latchkey__V1__ProfileChangesResponse response = LATCHKEY__V1__PROFILE_CHANGES_RESPONSE__INIT;
	struct lk_profile_changes_request request = LK_PROFILE_CHANGES_REQUEST_INIT;
	Latchkey__V1__ProfileChangesRequest *m;
	lk_changes *changes = NULL;

	(void)state;
	theme.has_name = theme.has_value = true;
	theme.name = bytes_of("theme");
	theme.value = bytes_of("dark");
	change.has_id = change.has_kind = change.has_user = change.has_version = true;
	change.has_created_at_ms = change.has_at_ms = change.has_deliveries = true;
	change.created_at_ms = 1690000000123;
	change.id = bytes_of("7-0");
	change.kind = LATCHKEY__V1__PROFILE_CHANGE_KIND__PROFILE_UPDATED;
	change.user = bytes_of("ann");
	change.version = 5;
	change.at_ms = 1700000000123;
	change.deliveries = 2;
	change.n_set = change.n_removed = 1;
	change.set = set;
	change.removed = &removed;
	newer.has_kind = true;
	newer.kind = (Latchkey__V1__ProfileChangeKind)99;
	response.n_changes = 2;
	response.changes = both;
	response.has_died = response.has_behind = true;
	response.died = 3;
	response.behind = 1000;
	seen.answer = &response.base;
	request.group = "mailer";
	request.consumer = "one";
	request.changes_max = 2;
	request.redeliver_ms = 500;
	request.deliveries_max = 4;
	assert_int_equal(lk_profile_changes(client, &request, &changes, NULL), LK_OK);
	m = unpack(&latchkey__v1__profile_changes_request__descriptor, "/latchkey.v1.Profiles/Changes", false);
	assert_bytes(m->group, "mailer");
	assert_bytes(m->consumer, "one");
	assert_int_equal(m->max, 2);
	assert_int_equal(m->redeliver_ms, 500);
	assert_int_equal(m->deliveries_max, 4);
	done_with(m);
	assert_int_equal(lk_changes_count(changes), 2);
	assert_int_equal(lk_changes_died(changes), 3);
	assert_int_equal(lk_changes_behind(changes), 1000);
	expect_change(lk_changes_at(changes, 0));
	assert_int_equal(lk_change_kind_of(lk_changes_at(changes, 1)), LK_CHANGE_UNKNOWN);
	assert_null(lk_changes_at(changes, 2));
	lk_changes_free(&changes);
}

static void changes_are_acknowledged_or_dead(void **state)
{
	Latchkey__V1__AckProfileChangesResponse acked = LATCHKEY__V1__ACK_PROFILE_CHANGES_RESPONSE__INIT;
	Latchkey__V1__DeadProfileChangesResponse dead = LATCHKEY__V1__DEAD_PROFILE_CHANGES_RESPONSE__INIT;
	struct lk_profile_ack_request ack = LK_PROFILE_ACK_REQUEST_INIT;
	struct lk_profile_dead_request list = LK_PROFILE_DEAD_REQUEST_INIT;
	const struct lk_bytes ids[] = {{"7-0", 3}, {"8-0", 3}};
	Latchkey__V1__AckProfileChangesRequest *m;
	Latchkey__V1__DeadProfileChangesRequest *d;
	lk_changes *changes = NULL;
	uint32_t count = 0;

	(void)state;
	acked.has_acknowledged = true;
	acked.acknowledged = 2;
	seen.answer = &acked.base;
	ack.group = "mailer";
	ack.ids = ids;
	ack.id_count = 2;
	assert_int_equal(lk_profile_ack(client, &ack, &count, NULL), LK_OK);
	assert_int_equal(count, 2);
	m = unpack(&latchkey__v1__ack_profile_changes_request__descriptor, "/latchkey.v1.Profiles/AckChanges", true);
	assert_int_equal(m->n_ids, 2);
	assert_bytes(m->ids[1], "8-0");
	done_with(m);
	ack.id_count = 257;
	assert_int_equal(lk_profile_ack(client, &ack, &count, NULL), LK_E_INVALID_ARGUMENT);
	seen.answer = &dead.base;
	list.group = "mailer";
	list.after = lk_text("8-0");
	assert_int_equal(lk_profile_dead(client, &list, &changes, NULL), LK_OK);
	assert_int_equal(lk_changes_count(changes), 0);
	lk_changes_free(&changes);
	d = unpack(&latchkey__v1__dead_profile_changes_request__descriptor, "/latchkey.v1.Profiles/DeadChanges", false);
	assert_bytes(d->after, "8-0");
	done_with(d);
}

/* ---- Visitors ---- */

static void visitors_are_recorded_and_counted(void **state)
{
	Latchkey__V1__RecordVisitorsResponse recorded = LATCHKEY__V1__RECORD_VISITORS_RESPONSE__INIT;
	Latchkey__V1__CountVisitorsResponse counted = LATCHKEY__V1__COUNT_VISITORS_RESPONSE__INIT;
	struct lk_visitors_record_request record = LK_VISITORS_RECORD_REQUEST_INIT;
	struct lk_visitors_count_request count = LK_VISITORS_COUNT_REQUEST_INIT;
	static const char *const counters[] = {"home", "shop"};
	const struct lk_bytes ids[] = {{"a", 1}, {"b", 1}};
	Latchkey__V1__RecordVisitorsRequest *m;
	Latchkey__V1__CountVisitorsRequest *c;
	uint32_t buckets = 0;
	uint64_t visitors = 0;
	bool changed = false;

	(void)state;
	recorded.has_changed = recorded.changed = true;
	seen.answer = &recorded.base;
	record.counter = "home";
	record.ids = ids;
	record.id_count = 2;
	record.at_ms = 1700000000123;
	assert_int_equal(lk_visitors_record(client, &record, &changed, NULL), LK_OK);
	assert_true(changed);
	m = unpack(&latchkey__v1__record_visitors_request__descriptor, "/latchkey.v1.Visitors/Record", false);
	assert_bytes(m->counter, "home");
	assert_int_equal(m->n_ids, 2);
	assert_int_equal(m->at_ms, 1700000000123);
	done_with(m);
	record.id_count = 1025;
	assert_int_equal(lk_visitors_record(client, &record, &changed, NULL), LK_E_INVALID_ARGUMENT);
	seen.answer = &counted.base;
	count.counters = counters;
	count.counter_count = 2;
	count.by_hour = true;
	count.from_ms = 5;
	count.to_ms = 6;
	/* Silence is no zero. */
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_E_PROTOCOL);
	counted.has_count = counted.has_buckets = true;
	counted.count = 1234567890123;
	counted.buckets = 24;
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_OK);
	assert_int_equal(visitors, 1234567890123);
	assert_int_equal(buckets, 24);
	c = unpack(&latchkey__v1__count_visitors_request__descriptor, "/latchkey.v1.Visitors/Count", false);
	assert_bytes(c->counters[1], "shop");
	assert_int_equal(c->bucket, LATCHKEY__V1__VISITOR_BUCKET__HOUR);
	assert_true(c->from_ms == 5 && c->to_ms == 6);
	done_with(c);
	count.counter_count = 17;
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_E_INVALID_ARGUMENT);
}

/* ---- The auth cache ---- */

static void an_answer_is_looked_up(void **state)
{
	Latchkey__V1__LookupAuthResponse response = LATCHKEY__V1__LOOKUP_AUTH_RESPONSE__INIT;
	struct lk_auth_lookup_request request = LK_AUTH_LOOKUP_REQUEST_INIT;
	const struct lk_bytes groups[] = {{"role:editor", 11}};
	Latchkey__V1__LookupAuthRequest *m;
	lk_auth_answer *answer = NULL;

	(void)state;
	response.has_state = response.has_lease = response.has_expires_at_ms = response.has_early = true;
	response.state = LATCHKEY__V1__AUTH_STATE__STALE;
	response.lease = bytes_of("lease");
	response.expires_at_ms = 1700000000123;
	response.early = true;
	seen.answer = &response.base;
	request.subject = lk_text("ann");
	request.key = lk_text("may");
	request.groups = groups;
	request.group_count = 1;
	request.load_wait_ms = 700;
	request.lease_ms = 300;
	/* An answer that is not there must not pass for an empty one. */
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	response.has_answer = true;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_OK);
	assert_int_equal(lk_auth_state_of(answer), LK_AUTH_STALE);
	assert_non_null(lk_auth_answer_bytes(answer).data);
	assert_int_equal(lk_auth_answer_bytes(answer).len, 0);
	assert_string_equal(lk_auth_answer_lease(answer).data, "lease");
	assert_int_equal(lk_auth_answer_expires_at_ms(answer), 1700000000123);
	assert_true(lk_auth_answer_is_early(answer));
	assert_false(lk_auth_answer_is_loaded(answer));
	lk_auth_answer_free(&answer);
	m = unpack(&latchkey__v1__lookup_auth_request__descriptor, "/latchkey.v1.AuthCache/Lookup", false);
	assert_bytes(m->groups[0], "role:editor");
	assert_true(m->wait_ms == 700 && m->lease_ms == 300 && !m->has_no_lease);
	assert_int_equal(seen.timeout_ms, LONG_MS + 700);
	done_with(m);
	/* What a later version may say. */
	response.state = (Latchkey__V1__AuthState)77;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	response.has_state = false;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	request.group_count = 5;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_INVALID_ARGUMENT);
	assert_null(answer);
	assert_string_equal(lk_auth_state_name(LK_AUTH_NEGATIVE), "NEGATIVE");
	assert_string_equal(lk_auth_state_name((enum lk_auth_state)77), "UNKNOWN");
}

static void an_answer_is_filled_and_forgotten(void **state)
{
	Latchkey__V1__FillAuthResponse filled = LATCHKEY__V1__FILL_AUTH_RESPONSE__INIT;
	Latchkey__V1__ForgetAuthResponse forgotten = LATCHKEY__V1__FORGET_AUTH_RESPONSE__INIT;
	struct lk_auth_forget_request forget_request = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_auth_fill_request fill = LK_AUTH_FILL_REQUEST_INIT;
	Latchkey__V1__ForgetAuthRequest *f;
	Latchkey__V1__FillAuthRequest *m;
	uint64_t expires_at_ms = 0;
	bool done = false;

	(void)state;
	filled.has_stored = filled.stored = filled.has_expires_at_ms = true;
	filled.expires_at_ms = 5;
	seen.answer = &filled.base;
	fill.subject = lk_text("ann");
	fill.key = lk_text("may");
	fill.lease = lk_text("lease");
	fill.load_ms = 30;
	assert_int_equal(lk_auth_fill(client, &fill, &done, &expires_at_ms, NULL), LK_OK);
	assert_true(done && expires_at_ms == 5);
	m = unpack(&latchkey__v1__fill_auth_request__descriptor, "/latchkey.v1.AuthCache/Fill", true);
	assert_true(m->has_answer && m->answer.len == 0 && m->load_ms == 30 && !m->has_ttl_ms);
	done_with(m);
	fill.negative = true;
	assert_int_equal(lk_auth_fill(client, &fill, NULL, NULL, NULL), LK_OK);
	m = unpack(&latchkey__v1__fill_auth_request__descriptor, "/latchkey.v1.AuthCache/Fill", true);
	assert_false(m->has_answer);
	done_with(m);
	forgotten.has_forgotten = forgotten.forgotten = true;
	seen.answer = &forgotten.base;
	forget_request.group = lk_text("role:editor");
	assert_int_equal(lk_auth_forget(client, &forget_request, &done, NULL), LK_OK);
	f = unpack(&latchkey__v1__forget_auth_request__descriptor, "/latchkey.v1.AuthCache/Forget", true);
	assert_true(!f->has_subject && !f->has_key);
	assert_bytes(f->group, "role:editor");
	done_with(f);
}

/* ---- Limits ---- */

static void a_limit_is_checked(void **state)
{
	Latchkey__V1__CheckLimitResponse response = LATCHKEY__V1__CHECK_LIMIT_RESPONSE__INIT;
	struct lk_limit_check_request request = LK_LIMIT_CHECK_REQUEST_INIT;
	struct lk_limit_state limit = LK_LIMIT_STATE_INIT;
	Latchkey__V1__CheckLimitRequest *m;

	(void)state;
	seen.answer = &response.base;
	request.name = lk_text("login:ann");
	request.limit = 5;
	request.per_ms = 60000;
	limit.remaining = 77;
	/* Neither yes nor no, and nothing is written. */
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_E_PROTOCOL);
	assert_int_equal(limit.remaining, 77);
	response.has_allowed = response.has_retry_after_ms = response.has_reset_ms = true;
	response.retry_after_ms = 12000;
	response.reset_ms = 60000;
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_OK);
	assert_false(limit.allowed);
	assert_true(limit.remaining == 0 && limit.retry_after_ms == 12000 && limit.reset_ms == 60000);
	assert_int_equal(limit.struct_size, sizeof(limit));
	m = unpack(&latchkey__v1__check_limit_request__descriptor, "/latchkey.v1.Limits/Check", true);
	assert_true(m->limit == 5 && m->per_ms == 60000 && !m->has_algorithm && !m->has_burst && !m->has_cost);
	done_with(m);
	/* 0 means the default, unless it is said that nothing is to be taken. */
	request.peek = true;
	request.burst = 9;
	request.algorithm = LK_LIMIT_TOKEN_BUCKET;
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_OK);
	m = unpack(&latchkey__v1__check_limit_request__descriptor, "/latchkey.v1.Limits/Check", true);
	assert_true(m->has_cost && m->cost == 0 && m->burst == 9);
	assert_int_equal(m->algorithm, LATCHKEY__V1__LIMIT_ALGORITHM__TOKEN_BUCKET);
	done_with(m);
	assert_string_equal(lk_limit_algorithm_name(LK_LIMIT_SLIDING_WINDOW), "SLIDING_WINDOW");
	assert_string_equal(lk_limit_algorithm_name((enum lk_limit_algorithm)9), "UNRECOGNIZED");
}

static void a_limit_is_reset(void **state)
{
	Latchkey__V1__ResetLimitResponse response = LATCHKEY__V1__RESET_LIMIT_RESPONSE__INIT;
	struct lk_limit_reset_request request = LK_LIMIT_RESET_REQUEST_INIT;
	bool existed = false;

	(void)state;
	response.has_existed = response.existed = true;
	seen.answer = &response.base;
	request.name = lk_text("login:ann");
	assert_int_equal(lk_limit_reset(client, &request, &existed, NULL), LK_OK);
	assert_true(existed);
	done_with(unpack(&latchkey__v1__reset_limit_request__descriptor, "/latchkey.v1.Limits/Reset", true));
}

/* ---- Locks ---- */

static void a_lock_is_acquired(void **state)
{
	Latchkey__V1__AcquireLockResponse response = LATCHKEY__V1__ACQUIRE_LOCK_RESPONSE__INIT;
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_lock_state lock = LK_LOCK_STATE_INIT;
	Latchkey__V1__AcquireLockRequest *m;

	(void)state;
	seen.answer = &response.base;
	request.name = lk_text("report");
	request.ttl_ms = 1000;
	request.lock_wait_ms = 400;
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_E_PROTOCOL);
	response.has_acquired = response.acquired = response.has_fencing_token = true;
	response.fencing_token = 12;
	/* Nobody could release it. */
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_E_PROTOCOL);
	response.has_owner = true;
	response.owner = bytes_of("sixteen bytes or more");
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_OK);
	assert_true(lock.held && lock.fencing_token == 12);
	assert_int_equal(lk_lock_owner(&lock).len, strlen("sixteen bytes or more"));
	m = unpack(&latchkey__v1__acquire_lock_request__descriptor, "/latchkey.v1.Locks/Acquire", true);
	assert_true(m->ttl_ms == 1000 && m->wait_ms == 400);
	assert_int_equal(seen.timeout_ms, LONG_MS + 400);
	done_with(m);
	response = (Latchkey__V1__AcquireLockResponse)LATCHKEY__V1__ACQUIRE_LOCK_RESPONSE__INIT;
	response.has_acquired = response.has_retry_after_ms = true;
	response.retry_after_ms = 90;
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_OK);
	assert_true(!lock.held && lock.retry_after_ms == 90 && lock.owner_bytes == 0);
}

static void a_lock_is_extended_and_released(void **state)
{
	Latchkey__V1__ExtendLockResponse extended = LATCHKEY__V1__EXTEND_LOCK_RESPONSE__INIT;
	Latchkey__V1__ReleaseLockResponse released = LATCHKEY__V1__RELEASE_LOCK_RESPONSE__INIT;
	struct lk_lock_extend_request extend = LK_LOCK_EXTEND_REQUEST_INIT;
	struct lk_lock_release_request release = LK_LOCK_RELEASE_REQUEST_INIT;
	struct lk_lock_state lock = LK_LOCK_STATE_INIT;
	Latchkey__V1__ExtendLockRequest *m;
	bool done = true;

	(void)state;
	seen.answer = &extended.base;
	extend.name = lk_text("report");
	extend.owner = lk_text("owner");
	extend.ttl_ms = 1000;
	assert_int_equal(lk_lock_extend(client, &extend, &lock, NULL), LK_E_PROTOCOL);
	extended.has_held = true;
	assert_int_equal(lk_lock_extend(client, &extend, &lock, NULL), LK_OK);
	assert_false(lock.held);
	m = unpack(&latchkey__v1__extend_lock_request__descriptor, "/latchkey.v1.Locks/Extend", true);
	assert_bytes(m->owner, "owner");
	done_with(m);
	seen.answer = &released.base;
	release.name = lk_text("report");
	release.owner = lk_text("owner");
	assert_int_equal(lk_lock_release(client, &release, &done, NULL), LK_OK);
	assert_false(done);
	done_with(unpack(&latchkey__v1__release_lock_request__descriptor, "/latchkey.v1.Locks/Release", true));
}

#define TEST(test) cmocka_unit_test_setup(test, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_profile_is_put),
	    TEST(a_profile_is_got),
	    TEST(a_profile_is_updated),
	    TEST(a_profile_is_deleted),
	    TEST(changes_are_handed_out),
	    TEST(changes_are_acknowledged_or_dead),
	    TEST(visitors_are_recorded_and_counted),
	    TEST(an_answer_is_looked_up),
	    TEST(an_answer_is_filled_and_forgotten),
	    TEST(a_limit_is_checked),
	    TEST(a_limit_is_reset),
	    TEST(a_lock_is_acquired),
	    TEST(a_lock_is_extended_and_released),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
