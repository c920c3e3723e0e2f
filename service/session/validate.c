#include "session/validate.h"

#include "session/attributes.h"

static enum status_code check_length(const char *what, size_t len, size_t len_min, size_t len_max, struct status *st)
{
	if (len >= len_min && len <= len_max)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "%s: %zu bytes; must be %zu to %zu", what, len, len_min,
			  len_max);
}

static enum status_code check_count(const char *what, size_t count, size_t count_max, struct status *st)
{
	if (count <= count_max)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "%s: %zu of them; at most %zu", what, count, count_max);
}

enum status_code check_user(span user, struct status *st)
{
	return check_length("user", user.len, 1, USER_BYTES_MAX, st);
}

enum status_code check_idempotency_key(const struct plan_env *env, struct status *st)
{
	return check_length("idempotency_key", env->idempotency_key.len, 0, IDEMPOTENCY_KEY_BYTES_MAX, st);
}

enum status_code check_attributes(const struct session_attribute *attributes, size_t count, struct status *st)
{
	enum status_code code = check_count("attributes", count, ATTRIBUTES_MAX, st);
	size_t bytes;

	for (size_t i = 0; i < count && code == STATUS_OK; i++) {
		code = check_length("attribute key", attributes[i].key.len, 1, ATTRIBUTE_KEY_BYTES_MAX, st);
		if (code == STATUS_OK)
			code =
			    check_length("attribute value", attributes[i].value.len, 0, ATTRIBUTE_VALUE_BYTES_MAX, st);
	}
	if (code != STATUS_OK)
		return code;
	bytes = attributes_text_bytes(attributes, count, NULL, 0);
	if (bytes > ATTRIBUTES_TEXT_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "attributes: %zu bytes in all; at most %d. Keep large values elsewhere", bytes,
				  ATTRIBUTES_TEXT_BYTES_MAX);
	return STATUS_OK;
}

enum status_code check_removals(const span *keys, size_t count, struct status *st)
{
	enum status_code code = check_count("remove", count, ATTRIBUTES_MAX, st);

	for (size_t i = 0; i < count && code == STATUS_OK; i++)
		code = check_length("attribute key", keys[i].len, 1, ATTRIBUTE_KEY_BYTES_MAX, st);
	return code;
}

enum status_code check_device(const struct session_device *d, struct status *st)
{
	enum status_code code = check_length("device.user_agent", d->user_agent.len, 0, USER_AGENT_BYTES_MAX, st);

	if (code == STATUS_OK)
		code = check_length("device.ip", d->ip.len, 0, IP_BYTES_MAX, st);
	if (code == STATUS_OK)
		code = check_length("device.label", d->label.len, 0, LABEL_BYTES_MAX, st);
	return code;
}

enum status_code check_amr(const char *what, const span *amr, size_t count, struct status *st)
{
	enum status_code code = check_count(what, count, AMR_MAX, st);

	for (size_t i = 0; i < count && code == STATUS_OK; i++)
		code = check_length(what, amr[i].len, 1, AMR_BYTES_MAX, st);
	return code;
}

enum status_code check_authentication(const struct session_authentication *a, uint64_t now_ms, struct status *st)
{
	const enum status_code code = check_amr("authentication.amr", a->amr, a->amr_count, st);

	if (code != STATUS_OK)
		return code;
	if (a->aal > AAL_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "authentication.aal %u is not in 0..%d", a->aal,
				  AAL_MAX);
	/* A moment in the future would satisfy every demand for a recent authentication. */
	if (a->at_ms > now_ms + CLOCK_SKEW_MS)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "authentication.at_ms lies more than %d ms ahead; check unit (ms) and clocks",
				  CLOCK_SKEW_MS);
	return STATUS_OK;
}
