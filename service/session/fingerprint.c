#include "session/fingerprint.h"

/* User, class, user agent, IP, label, promoted token, and the numbers of any request. */
#define FIELDS_FIXED_MAX (6 + FINGERPRINT_NUMBERS_MAX)

static void add_attributes(struct fingerprint *f, const struct session_attribute *attributes, size_t count)
{
	fingerprint_number(f, count);
	for (size_t i = 0; i < count; i++) {
		fingerprint_add(f, attributes[i].key);
		fingerprint_add(f, attributes[i].value);
	}
}

static void add_authentication(struct fingerprint *f, const struct session_authentication *a)
{
	fingerprint_number(f, a->at_ms);
	fingerprint_number(f, a->aal);
	fingerprint_number(f, a->amr_count);
	for (size_t i = 0; i < a->amr_count; i++)
		fingerprint_add(f, a->amr[i]);
}

bool fingerprint_create(const struct plan_env *env, const struct session_create_request *req,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fingerprint f;

	if (!fingerprint_start(env->arena, FIELDS_FIXED_MAX + 2 * req->attribute_count + req->authentication.amr_count,
			       &f))
		return false;
	fingerprint_add(&f, req->user);
	fingerprint_add(&f, req->class_name);
	fingerprint_number(&f, req->idle_timeout_s);
	fingerprint_number(&f, req->absolute_timeout_s);
	fingerprint_add(&f, req->device.user_agent);
	fingerprint_add(&f, req->device.ip);
	fingerprint_add(&f, req->device.label);
	add_authentication(&f, &req->authentication);
	add_attributes(&f, req->attributes, req->attribute_count);
	fingerprint_add(&f, req->promoted);
	fingerprint_end(env->keys, &f, out);
	return true;
}

bool fingerprint_update(const struct plan_env *env, const struct session_update_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fingerprint f;

	if (!fingerprint_start(env->arena, FIELDS_FIXED_MAX + 2 * req->set_count + req->remove_count, &f))
		return false;
	fingerprint_add(&f, name);
	fingerprint_number(&f, req->has_expected_version);
	fingerprint_number(&f, req->has_expected_version ? req->expected_version : 0);
	add_attributes(&f, req->set, req->set_count);
	fingerprint_number(&f, req->remove_count);
	for (size_t i = 0; i < req->remove_count; i++)
		fingerprint_add(&f, req->remove[i]);
	fingerprint_end(env->keys, &f, out);
	return true;
}

bool fingerprint_rotate(const struct plan_env *env, const struct session_rotate_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES])
{
	struct fingerprint f;

	if (!fingerprint_start(env->arena, FIELDS_FIXED_MAX + req->authentication.amr_count, &f))
		return false;
	fingerprint_add(&f, name);
	fingerprint_number(&f, req->has_authentication);
	add_authentication(&f, &req->authentication);
	fingerprint_number(&f, req->has_grace);
	fingerprint_number(&f, req->has_grace ? req->grace_s : 0);
	fingerprint_end(env->keys, &f, out);
	return true;
}
