/* Profiles: requests as they reach a server, and its answers as results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/profile.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "seen_util.h"

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
	m = unpack_seen(&latchkey__v1__put_profile_request__descriptor, "/latchkey.v1.Profiles/Put", true);
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
	m = unpack_seen(&latchkey__v1__get_profile_request__descriptor, "/latchkey.v1.Profiles/Get", false);
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
	m = unpack_seen(&latchkey__v1__update_profile_request__descriptor, "/latchkey.v1.Profiles/Update", true);
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
	done_with(unpack_seen(&latchkey__v1__delete_profile_request__descriptor, "/latchkey.v1.Profiles/Delete", true));
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
	m = unpack_seen(&latchkey__v1__profile_changes_request__descriptor, "/latchkey.v1.Profiles/Changes", false);
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
	m = unpack_seen(&latchkey__v1__ack_profile_changes_request__descriptor, "/latchkey.v1.Profiles/AckChanges",
			true);
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
	d = unpack_seen(&latchkey__v1__dead_profile_changes_request__descriptor, "/latchkey.v1.Profiles/DeadChanges",
			false);
	assert_bytes(d->after, "8-0");
	done_with(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SEEN_TEST(a_profile_is_put),       SEEN_TEST(a_profile_is_got),
	    SEEN_TEST(a_profile_is_updated),   SEEN_TEST(a_profile_is_deleted),
	    SEEN_TEST(changes_are_handed_out), SEEN_TEST(changes_are_acknowledged_or_dead),
	};

	return cmocka_run_group_tests(tests, open_seen, close_seen);
}
