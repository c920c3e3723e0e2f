/* Profiles and changes as results: one block each, as in result.c, wiped when freed, since they tell about people. */

#include "latchkey/profile.h"

#include <stdlib.h>

#include "answers.h"
#include "blob.h"
#include "latchkey/v1/profiles.pb-c.h"

struct lk_profile {
	size_t block_bytes;
	bool found;
	uint64_t version;
	uint64_t expires_at_ms;
	size_t field_count;
	struct lk_profile_field *fields;
};

struct lk_change {
	struct lk_bytes id;
	enum lk_change_kind kind;
	struct lk_bytes user;
	uint64_t version;
	uint64_t created_at_ms;
	uint64_t at_ms;
	uint32_t deliveries;
	size_t set_count;
	struct lk_profile_field *set;
	size_t removed_count;
	struct lk_bytes *removed;
};

struct lk_changes {
	size_t block_bytes;
	size_t count;
	struct lk_change *changes;
	uint32_t died;
	uint64_t behind;
};

static const char *const kinds[] = {
#define X(name, number) [number] = &#name[sizeof("LK_CHANGE_") - 1],
    LK_CHANGE_MAP(X)
#undef X
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *lk_change_kind_name(enum lk_change_kind kind)
{
	return (size_t)kind < KINDS ? kinds[kind] : kinds[LK_CHANGE_UNKNOWN];
}

/* What is there but empty must differ from what is not. */
static struct lk_bytes copy(struct blob *blob, ProtobufCBinaryData from)
{
	struct lk_bytes bytes = blob_copy(blob, from);

	return bytes.data != NULL ? bytes : lk_text("");
}

static struct lk_profile_field *copy_fields(struct blob *blob, Latchkey__V1__ProfileField *const *from, size_t count)
{
	struct lk_profile_field *fields = blob_room(blob, count * sizeof(*fields));

	for (size_t i = 0; i < count; i++) {
		struct lk_bytes name = copy(blob, from[i]->name);
		struct lk_bytes value = from[i]->has_number ? lk_text(NULL) : copy(blob, from[i]->value);

		if (fields != NULL)
			fields[i] = (struct lk_profile_field){name, value, from[i]->number, from[i]->has_number};
	}
	return fields;
}

/* ---- Profiles ---- */

static void fill_profile(struct blob *blob, const void *response, void *profile)
{
	const Latchkey__V1__GetProfileResponse *from = response;
	struct lk_profile *to = profile;

	to->found = from->found;
	to->version = from->version;
	to->expires_at_ms = from->expires_at_ms;
	to->field_count = from->n_fields;
	to->fields = copy_fields(blob, from->fields, from->n_fields);
}

static lk_profile *profile_new(const Latchkey__V1__GetProfileResponse *response)
{
	size_t bytes;
	struct lk_profile *profile = blob_build(sizeof(*profile), fill_profile, response, &bytes);

	if (profile != NULL)
		profile->block_bytes = bytes;
	return profile;
}

void lk_profile_free(lk_profile **profile)
{
	lk_profile *own = *profile;

	*profile = NULL;
	if (own == NULL)
		return;
	explicit_bzero(own, own->block_bytes);
	free(own);
}

bool lk_profile_found(const lk_profile *profile)
{
	return profile->found;
}

uint64_t lk_profile_version(const lk_profile *profile)
{
	return profile->version;
}

uint64_t lk_profile_expires_at_ms(const lk_profile *profile)
{
	return profile->expires_at_ms;
}

size_t lk_profile_field_count(const lk_profile *profile)
{
	return profile->field_count;
}

struct lk_profile_field lk_profile_field_at(const lk_profile *profile, size_t index)
{
	return index < profile->field_count ? profile->fields[index] : (struct lk_profile_field){0};
}

bool lk_profile_field(const lk_profile *profile, const char *name, struct lk_profile_field *ret_field)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < profile->field_count; i++) {
		const struct lk_bytes *found = &profile->fields[i].name;

		if (found->len != len || memcmp(found->data, name, len) != 0)
			continue;
		if (ret_field != NULL)
			*ret_field = profile->fields[i];
		return true;
	}
	return false;
}

/* ---- Changes ---- */

static void fill_change(struct blob *blob, const Latchkey__V1__ProfileChange *from, struct lk_change *to)
{
	to->id = copy(blob, from->id);
	to->kind = (size_t)from->kind < KINDS ? (enum lk_change_kind)from->kind : LK_CHANGE_UNKNOWN;
	to->user = copy(blob, from->user);
	to->version = from->version;
	to->created_at_ms = from->created_at_ms;
	to->at_ms = from->at_ms;
	to->deliveries = from->deliveries;
	to->set_count = from->n_set;
	to->set = copy_fields(blob, from->set, from->n_set);
	to->removed_count = from->n_removed;
	to->removed = blob_room(blob, from->n_removed * sizeof(*to->removed));
	for (size_t i = 0; i < from->n_removed; i++) {
		struct lk_bytes name = copy(blob, from->removed[i]);

		if (to->removed != NULL)
			to->removed[i] = name;
	}
}

struct change_list {
	Latchkey__V1__ProfileChange *const *changes;
	size_t count;
};

static void fill_changes(struct blob *blob, const void *list, void *changes)
{
	const struct change_list *from = list;
	struct lk_changes *to = changes;

	to->count = from->count;
	to->changes = blob_room(blob, from->count * sizeof(*to->changes));
	for (size_t i = 0; i < from->count; i++) {
		struct lk_change dummy;

		fill_change(blob, from->changes[i], to->changes != NULL ? &to->changes[i] : &dummy);
	}
}

static lk_changes *changes_new(Latchkey__V1__ProfileChange *const *from, size_t count)
{
	const struct change_list list = {from, count};
	size_t bytes;
	struct lk_changes *changes = blob_build(sizeof(*changes), fill_changes, &list, &bytes);

	if (changes != NULL)
		changes->block_bytes = bytes;
	return changes;
}

void lk_changes_free(lk_changes **changes)
{
	lk_changes *own = *changes;

	*changes = NULL;
	if (own == NULL)
		return;
	explicit_bzero(own, own->block_bytes);
	free(own);
}

size_t lk_changes_count(const lk_changes *changes)
{
	return changes->count;
}

const lk_change *lk_changes_at(const lk_changes *changes, size_t index)
{
	return index < changes->count ? &changes->changes[index] : NULL;
}

uint32_t lk_changes_died(const lk_changes *changes)
{
	return changes->died;
}

uint64_t lk_changes_behind(const lk_changes *changes)
{
	return changes->behind;
}

struct lk_bytes lk_change_id(const lk_change *change)
{
	return change->id;
}

enum lk_change_kind lk_change_kind_of(const lk_change *change)
{
	return change->kind;
}

struct lk_bytes lk_change_user(const lk_change *change)
{
	return change->user;
}

uint64_t lk_change_version(const lk_change *change)
{
	return change->version;
}

uint64_t lk_change_created_at_ms(const lk_change *change)
{
	return change->created_at_ms;
}

uint64_t lk_change_at_ms(const lk_change *change)
{
	return change->at_ms;
}

uint32_t lk_change_deliveries(const lk_change *change)
{
	return change->deliveries;
}

size_t lk_change_set_count(const lk_change *change)
{
	return change->set_count;
}

struct lk_profile_field lk_change_set_at(const lk_change *change, size_t index)
{
	return index < change->set_count ? change->set[index] : (struct lk_profile_field){0};
}

size_t lk_change_removed_count(const lk_change *change)
{
	return change->removed_count;
}

struct lk_bytes lk_change_removed_at(const lk_change *change, size_t index)
{
	return index < change->removed_count ? change->removed[index] : lk_text(NULL);
}

/* ---- Answers ---- */

uint64_t version_of_profile_put(const ProtobufCMessage *message)
{
	return ((const Latchkey__V1__PutProfileResponse *)message)->version;
}

uint64_t version_of_profile_update(const ProtobufCMessage *message)
{
	return ((const Latchkey__V1__UpdateProfileResponse *)message)->version;
}

enum lk_err answer_profile_put(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->version = version_of_profile_put(message);
	return results->version > 0 ? LK_OK : not_understood(error, "a profile without a version");
}

enum lk_err answer_profile_get(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__GetProfileResponse *m = (const Latchkey__V1__GetProfileResponse *)message;

	/* Silence about it is not "there is none". */
	if (!m->has_found)
		return not_understood(error, "a profile that is neither found nor not");
	results->profile = profile_new(m);
	return results->profile != NULL ? LK_OK : out_of_memory(error);
}

enum lk_err answer_profile_update(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__UpdateProfileResponse *m = (const Latchkey__V1__UpdateProfileResponse *)message;
	Latchkey__V1__GetProfileResponse counters = LATCHKEY__V1__GET_PROFILE_RESPONSE__INIT;

	if (m->version == 0)
		return not_understood(error, "a profile without a version");
	counters.found = true;
	counters.version = m->version;
	counters.n_fields = m->n_counters;
	counters.fields = m->counters;
	results->version = m->version;
	results->profile = profile_new(&counters);
	return results->profile != NULL ? LK_OK : out_of_memory(error);
}

enum lk_err answer_profile_delete(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->had_effect = ((const Latchkey__V1__DeleteProfileResponse *)message)->deleted;
	return LK_OK;
}

enum lk_err answer_profile_changes(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__ProfileChangesResponse *m = (const Latchkey__V1__ProfileChangesResponse *)message;

	results->changes = changes_new(m->changes, m->n_changes);
	if (results->changes == NULL)
		return out_of_memory(error);
	results->changes->died = m->died;
	results->changes->behind = m->behind;
	return LK_OK;
}

enum lk_err answer_profile_ack(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->acknowledged = ((const Latchkey__V1__AckProfileChangesResponse *)message)->acknowledged;
	return LK_OK;
}

enum lk_err answer_profile_dead(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__DeadProfileChangesResponse *m = (const Latchkey__V1__DeadProfileChangesResponse *)message;

	results->changes = changes_new(m->changes, m->n_changes);
	return results->changes != NULL ? LK_OK : out_of_memory(error);
}
