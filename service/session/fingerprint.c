#include "session/fingerprint.h"

#include <assert.h>

#include "crypto/names.h"
#include "session/bytes.h"

#define NUMBERS_MAX 8
/* User, class, user agent, IP, label, promoted token, and the numbers of either request. */
#define FIELDS_FIXED_MAX (6 + NUMBERS_MAX)

struct fields {
	span *items;
	size_t count;
	size_t capacity;
	uint8_t numbers[NUMBERS_MAX][8];
	size_t number_count;
};

static bool fields_start(arena *a, size_t variable_count, struct fields *f)
{
	*f = (struct fields){.capacity = FIELDS_FIXED_MAX + variable_count};
	f->items = arena_array(a, f->capacity, sizeof(*f->items));
	return f->items != NULL;
}

static void add(struct fields *f, span s)
{
	assert(f->count < f->capacity);
	f->items[f->count++] = s;
}

static void add_number(struct fields *f, uint64_t n)
{
	uint8_t *bytes = f->numbers[f->number_count++];
	struct writer w = writer_over(bytes, 8);

	assert(f->number_count <= NUMBERS_MAX);
	put_number(&w, n, 8);
	add(f, span_of(bytes, 8));
}

static void add_attributes(struct fields *f, const struct session_attribute *attributes, size_t count)
{
	add_number(f, count);
	for (size_t i = 0; i < count; i++) {
		add(f, attributes[i].key);
		add(f, attributes[i].value);
	}
}

static void add_authentication(struct fields *f, const struct session_authentication *a)
{
	add_number(f, a->at_ms);
	add_number(f, a->aal);
	add_number(f, a->amr_count);
	for (size_t i = 0; i < a->amr_count; i++)
		add(f, a->amr[i]);
}

static void finish(const struct session_env *env, const struct fields *f, uint8_t out[static FINGERPRINT_BYTES])
{
	name_hash(env->keys, NAME_FINGERPRINT, f->items, f->count, out, FINGERPRINT_BYTES);
}

bool fingerprint_create(const struct session_env *env, const struct session_create_request *req,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fields f;

	if (!fields_start(env->arena, 2 * req->attribute_count + req->authentication.amr_count, &f))
		return false;
	add(&f, req->user);
	add(&f, req->class_name);
	add_number(&f, req->idle_timeout_s);
	add_number(&f, req->absolute_timeout_s);
	add(&f, req->device.user_agent);
	add(&f, req->device.ip);
	add(&f, req->device.label);
	add_authentication(&f, &req->authentication);
	add_attributes(&f, req->attributes, req->attribute_count);
	add(&f, req->promoted);
	finish(env, &f, out);
	return true;
}

bool fingerprint_update(const struct session_env *env, const struct session_update_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fields f;

	if (!fields_start(env->arena, 2 * req->set_count + req->remove_count, &f))
		return false;
	add(&f, name);
	add_number(&f, req->has_expected_version);
	add_number(&f, req->has_expected_version ? req->expected_version : 0);
	add_attributes(&f, req->set, req->set_count);
	add_number(&f, req->remove_count);
	for (size_t i = 0; i < req->remove_count; i++)
		add(&f, req->remove[i]);
	finish(env, &f, out);
	return true;
}

bool fingerprint_rotate(const struct session_env *env, const struct session_rotate_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fields f;

	if (!fields_start(env->arena, req->authentication.amr_count, &f))
		return false;
	add(&f, name);
	add_number(&f, req->has_authentication);
	add_authentication(&f, &req->authentication);
	add_number(&f, req->has_grace);
	add_number(&f, req->has_grace ? req->grace_s : 0);
	finish(env, &f, out);
	return true;
}
