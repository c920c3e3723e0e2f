/* The calls of latchkey.v1.Profiles: requests into messages. */

#include "latchkey/profile.h"

#include <assert.h>

#include "latchkey/v1/profiles.pb-c.h"
#include "request.h"

/* Of a Put: a whole profile. */
#define FIELDS_MAX 256
/* Of a Get, and of all lists of an Update together. */
#define FIELDS_OF_REQUEST_MAX 64
#define IDS_MAX		      256

struct fields {
	Latchkey__V1__ProfileField rows[FIELDS_MAX];
	Latchkey__V1__ProfileField *pointers[FIELDS_MAX];
};

static enum lk_err take_fields(lk_call *call, const struct lk_profile_field *given, size_t count, size_t max,
			       struct fields *to)
{
	if (count > max)
		return request_too_many(call, "fields", count, max);
	for (size_t i = 0; i < count; i++) {
		Latchkey__V1__ProfileField *row = &to->rows[i];

		latchkey__v1__profile_field__init(row);
		row->has_name = true;
		row->name = binary_of(given[i].name);
		row->has_number = given[i].is_counter;
		row->number = given[i].number;
		row->has_value = !given[i].is_counter;
		row->value = binary_of(given[i].value);
		to->pointers[i] = row;
	}
	return LK_OK;
}

/* Into room for `max`. */
static enum lk_err take_bytes(lk_call *call, const char *what, const struct lk_bytes *given, size_t count, size_t max,
			      ProtobufCBinaryData *to)
{
	if (count > max)
		return request_too_many(call, what, count, max);
	for (size_t i = 0; i < count; i++)
		to[i] = binary_of(given[i]);
	return LK_OK;
}

/* ---- Put ---- */

static enum lk_err start_put(lk_call *call, const void *request)
{
	const struct lk_profile_put_request *r = request;
	Latchkey__V1__PutProfileRequest message = LATCHKEY__V1__PUT_PROFILE_REQUEST__INIT;
	struct fields fields;
	enum lk_err err = take_fields(call, r->fields, r->field_count, FIELDS_MAX, &fields);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	message.n_fields = r->field_count;
	message.fields = fields.pointers;
	message.has_expected_version = r->expect_none || r->expected_version > 0;
	message.expected_version = r->expect_none ? 0 : r->expected_version;
	SET(message, tier, lk_text(r->tier));
	return request_submit(call, METHOD_PROFILE_PUT, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form put_form = FORM(lk_profile_put_request, wait_ms, start_put);

enum lk_err lk_profile_put_async(lk_call *call, const struct lk_profile_put_request *request)
{
	return request_start(call, &put_form, request);
}

enum lk_err lk_profile_put(lk_client *client, const struct lk_profile_put_request *request, uint64_t *ret_version,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &put_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_version != NULL)
		*ret_version = lk_call_version(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Get ---- */

static enum lk_err start_get(lk_call *call, const void *request)
{
	const struct lk_profile_get_request *r = request;
	Latchkey__V1__GetProfileRequest message = LATCHKEY__V1__GET_PROFILE_REQUEST__INIT;
	ProtobufCBinaryData fields[FIELDS_OF_REQUEST_MAX];
	enum lk_err err = take_bytes(call, "fields", r->fields, r->field_count, FIELDS_OF_REQUEST_MAX, fields);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	message.n_fields = r->field_count;
	message.fields = fields;
	SET_NUMBER(message, staleness_ms, r->staleness_ms);
	return request_submit(call, METHOD_PROFILE_GET, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form get_form = FORM(lk_profile_get_request, staleness_ms, start_get);

enum lk_err lk_profile_get_async(lk_call *call, const struct lk_profile_get_request *request)
{
	return request_start(call, &get_form, request);
}

enum lk_err lk_profile_get(lk_client *client, const struct lk_profile_get_request *request, lk_profile **ret_profile,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_profile != NULL);
	err = request_run(client, &get_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_profile = lk_call_take_profile(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Update ---- */

struct increments {
	Latchkey__V1__ProfileIncrement rows[FIELDS_OF_REQUEST_MAX];
	Latchkey__V1__ProfileIncrement *pointers[FIELDS_OF_REQUEST_MAX];
};

static enum lk_err take_increments(lk_call *call, const struct lk_profile_increment *given, size_t count,
				   struct increments *to)
{
	if (count > FIELDS_OF_REQUEST_MAX)
		return request_too_many(call, "increments", count, FIELDS_OF_REQUEST_MAX);
	for (size_t i = 0; i < count; i++) {
		latchkey__v1__profile_increment__init(&to->rows[i]);
		to->rows[i].has_name = to->rows[i].has_by = true;
		to->rows[i].name = binary_of(given[i].name);
		to->rows[i].by = given[i].by;
		to->pointers[i] = &to->rows[i];
	}
	return LK_OK;
}

struct update_lists {
	struct fields set;
	ProtobufCBinaryData remove[FIELDS_OF_REQUEST_MAX];
	struct increments increments;
};

static enum lk_err take_lists(lk_call *call, const struct lk_profile_update_request *r, struct update_lists *to)
{
	enum lk_err err = take_fields(call, r->set, r->set_count, FIELDS_OF_REQUEST_MAX, &to->set);

	if (err == LK_OK)
		err =
		    take_bytes(call, "fields to remove", r->remove, r->remove_count, FIELDS_OF_REQUEST_MAX, to->remove);
	if (err == LK_OK)
		err = take_increments(call, r->increment, r->increment_count, &to->increments);
	return err;
}

static enum lk_err start_update(lk_call *call, const void *request)
{
	const struct lk_profile_update_request *r = request;
	Latchkey__V1__UpdateProfileRequest message = LATCHKEY__V1__UPDATE_PROFILE_REQUEST__INIT;
	struct update_lists lists;
	enum lk_err err = take_lists(call, r, &lists);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	message.n_set = r->set_count;
	message.set = lists.set.pointers;
	message.n_remove = r->remove_count;
	message.remove = lists.remove;
	message.n_increment = r->increment_count;
	message.increment = lists.increments.pointers;
	message.has_expected_version = r->expect_none || r->expected_version > 0;
	message.expected_version = r->expect_none ? 0 : r->expected_version;
	SET(message, tier, lk_text(r->tier));
	return request_submit(call, METHOD_PROFILE_UPDATE, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form update_form = FORM(lk_profile_update_request, wait_ms, start_update);

enum lk_err lk_profile_update_async(lk_call *call, const struct lk_profile_update_request *request)
{
	return request_start(call, &update_form, request);
}

enum lk_err lk_profile_update(lk_client *client, const struct lk_profile_update_request *request, uint64_t *ret_version,
			      lk_profile **ret_counters, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &update_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_version != NULL)
		*ret_version = lk_call_version(call);
	if (ret_counters != NULL)
		*ret_counters = lk_call_take_profile(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Delete ---- */

static enum lk_err start_delete(lk_call *call, const void *request)
{
	const struct lk_profile_delete_request *r = request;
	Latchkey__V1__DeleteProfileRequest message = LATCHKEY__V1__DELETE_PROFILE_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	SET_NUMBER(message, expected_version, r->expected_version);
	return request_submit(call, METHOD_PROFILE_DELETE, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form delete_form = FORM(lk_profile_delete_request, wait_ms, start_delete);

enum lk_err lk_profile_delete_async(lk_call *call, const struct lk_profile_delete_request *request)
{
	return request_start(call, &delete_form, request);
}

enum lk_err lk_profile_delete(lk_client *client, const struct lk_profile_delete_request *request, bool *ret_deleted,
			      struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &delete_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_deleted != NULL)
		*ret_deleted = lk_call_deleted(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Changes ---- */

static enum lk_err start_changes(lk_call *call, const void *request)
{
	const struct lk_profile_changes_request *r = request;
	Latchkey__V1__ProfileChangesRequest message = LATCHKEY__V1__PROFILE_CHANGES_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, group, lk_text(r->group));
	SET(message, consumer, lk_text(r->consumer));
	SET_NUMBER(message, max, r->changes_max);
	SET_NUMBER(message, redeliver_ms, r->redeliver_ms);
	SET_NUMBER(message, deliveries_max, r->deliveries_max);
	return request_submit(call, METHOD_PROFILE_CHANGES, &message.base, &(struct call_terms)TERMS(*r));
}

static enum lk_err start_ack(lk_call *call, const void *request)
{
	const struct lk_profile_ack_request *r = request;
	Latchkey__V1__AckProfileChangesRequest message = LATCHKEY__V1__ACK_PROFILE_CHANGES_REQUEST__INIT;
	ProtobufCBinaryData ids[IDS_MAX];
	enum lk_err err = take_bytes(call, "ids", r->ids, r->id_count, IDS_MAX, ids);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, group, lk_text(r->group));
	message.n_ids = r->id_count;
	message.ids = ids;
	return request_submit(call, METHOD_PROFILE_ACK, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static enum lk_err start_dead(lk_call *call, const void *request)
{
	const struct lk_profile_dead_request *r = request;
	Latchkey__V1__DeadProfileChangesRequest message = LATCHKEY__V1__DEAD_PROFILE_CHANGES_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, group, lk_text(r->group));
	SET_NUMBER(message, max, r->changes_max);
	SET(message, after, r->after);
	return request_submit(call, METHOD_PROFILE_DEAD, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form changes_form = FORM(lk_profile_changes_request, deliveries_max, start_changes);
static const struct request_form ack_form = FORM(lk_profile_ack_request, id_count, start_ack);
static const struct request_form dead_form = FORM(lk_profile_dead_request, after, start_dead);

enum lk_err lk_profile_changes_async(lk_call *call, const struct lk_profile_changes_request *request)
{
	return request_start(call, &changes_form, request);
}

enum lk_err lk_profile_ack_async(lk_call *call, const struct lk_profile_ack_request *request)
{
	return request_start(call, &ack_form, request);
}

enum lk_err lk_profile_dead_async(lk_call *call, const struct lk_profile_dead_request *request)
{
	return request_start(call, &dead_form, request);
}

static enum lk_err run_for_changes(lk_client *client, const struct request_form *form, const void *request,
				   lk_changes **ret_changes, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_changes != NULL);
	err = request_run(client, form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_changes = lk_call_take_changes(call);
	lk_call_free(&call);
	return LK_OK;
}

enum lk_err lk_profile_changes(lk_client *client, const struct lk_profile_changes_request *request,
			       lk_changes **ret_changes, struct lk_error *error)
{
	return run_for_changes(client, &changes_form, request, ret_changes, error);
}

enum lk_err lk_profile_dead(lk_client *client, const struct lk_profile_dead_request *request, lk_changes **ret_changes,
			    struct lk_error *error)
{
	return run_for_changes(client, &dead_form, request, ret_changes, error);
}

enum lk_err lk_profile_ack(lk_client *client, const struct lk_profile_ack_request *request, uint32_t *ret_acknowledged,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &ack_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_acknowledged != NULL)
		*ret_acknowledged = lk_call_acknowledged(call);
	lk_call_free(&call);
	return LK_OK;
}
