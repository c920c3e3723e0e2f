#include "rpc/messages.h"

ProtobufCBinaryData message_bytes(span s)
{
	/* protobuf-c's type is not const; packing only reads. */
	return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.ptr};
}

bool message_read_attributes(arena *a, Latchkey__V1__Attribute **from, size_t count,
			     const struct session_attribute **ret)
{
	struct session_attribute *out = arena_array(a, count, sizeof(*out));

	if (out == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		out[i].key = MESSAGE_SPAN(from[i], key);
		out[i].value = MESSAGE_SPAN(from[i], value);
	}
	*ret = out;
	return true;
}

bool message_read_spans(arena *a, const ProtobufCBinaryData *from, size_t count, const span **ret)
{
	span *out = arena_array(a, count, sizeof(*out));

	if (out == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		out[i] = span_of(from[i].data, from[i].len);
	*ret = out;
	return true;
}

void message_read_device(const Latchkey__V1__Device *from, struct session_device *ret)
{
	*ret = (struct session_device){0};
	if (from == NULL)
		return;
	ret->user_agent = MESSAGE_SPAN(from, user_agent);
	ret->ip = MESSAGE_SPAN(from, ip);
	ret->label = MESSAGE_SPAN(from, label);
}

enum status_code message_read_authentication(const Latchkey__V1__Authentication *from,
					     struct session_authentication *ret, struct status *st)
{
	struct session_authentication out = {0};

	if (from != NULL && from->n_amr > AMR_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "authentication.amr has %zu entries: send at most %d",
				  from->n_amr, AMR_MAX);
	if (from != NULL) {
		out.at_ms = from->has_at_ms ? from->at_ms : 0;
		out.aal = from->has_aal ? from->aal : 0;
		out.amr_count = from->n_amr;
		for (size_t i = 0; i < from->n_amr; i++)
			out.amr[i] = span_of(from->amr[i].data, from->amr[i].len);
	}
	*ret = out;
	return STATUS_OK;
}

static Latchkey__V1__Device *message_device(arena *a, const struct session_device *from)
{
	Latchkey__V1__Device *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__device__init(m);
	if (from->user_agent.len > 0)
		MESSAGE_SET(m, user_agent, message_bytes(from->user_agent));
	if (from->ip.len > 0)
		MESSAGE_SET(m, ip, message_bytes(from->ip));
	if (from->label.len > 0)
		MESSAGE_SET(m, label, message_bytes(from->label));
	return m;
}

static Latchkey__V1__Authentication *message_authentication(arena *a, const struct session_authentication *from)
{
	Latchkey__V1__Authentication *m = arena_alloc(a, sizeof(*m));
	ProtobufCBinaryData *amr = arena_array(a, from->amr_count, sizeof(*amr));

	if (m == NULL || amr == NULL)
		return NULL;
	latchkey__v1__authentication__init(m);
	MESSAGE_SET(m, at_ms, from->at_ms);
	MESSAGE_SET(m, aal, from->aal);
	for (size_t i = 0; i < from->amr_count; i++)
		amr[i] = message_bytes(from->amr[i]);
	m->n_amr = from->amr_count;
	m->amr = amr;
	return m;
}

static Latchkey__V1__SessionInfo *message_anonymous_info(arena *a, const struct session_info *from)
{
	Latchkey__V1__SessionInfo *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__session_info__init(m);
	MESSAGE_SET(m, anonymous, true);
	MESSAGE_SET(m, session_class, message_bytes(from->class_name));
	MESSAGE_SET(m, created_at_ms, from->created_at_ms);
	MESSAGE_SET(m, idle_expires_at_ms, from->idle_expires_at_ms);
	MESSAGE_SET(m, expires_at_ms, from->expires_at_ms);
	return m;
}

Latchkey__V1__SessionInfo *message_info(arena *a, const struct session_info *from)
{
	const bool has_device = from->device.user_agent.len + from->device.ip.len + from->device.label.len > 0;
	Latchkey__V1__SessionInfo *m;
	span handle;

	if (from->is_anonymous)
		return message_anonymous_info(a, from);
	m = arena_alloc(a, sizeof(*m));
	if (m == NULL || !arena_copy(a, span_of(from->handle, HANDLE_CHARS), &handle))
		return NULL;
	latchkey__v1__session_info__init(m);
	MESSAGE_SET(m, handle, message_bytes(handle));
	MESSAGE_SET(m, user, message_bytes(from->user));
	MESSAGE_SET(m, session_class, message_bytes(from->class_name));
	MESSAGE_SET(m, created_at_ms, from->created_at_ms);
	MESSAGE_SET(m, last_seen_at_ms, from->last_seen_at_ms);
	MESSAGE_SET(m, idle_expires_at_ms, from->idle_expires_at_ms);
	MESSAGE_SET(m, expires_at_ms, from->expires_at_ms);
	MESSAGE_SET(m, version, from->version);
	if (from->privileged_until_ms > 0)
		MESSAGE_SET(m, privileged_until_ms, from->privileged_until_ms);
	m->authentication = message_authentication(a, &from->authentication);
	if (has_device)
		m->device = message_device(a, &from->device);
	return m->authentication == NULL || (has_device && m->device == NULL) ? NULL : m;
}

static bool message_attributes(arena *a, const struct session_attribute *from, size_t count,
			       Latchkey__V1__Attribute ***ret)
{
	Latchkey__V1__Attribute *each = arena_array(a, count, sizeof(*each));
	Latchkey__V1__Attribute **all = arena_array(a, count, sizeof(Latchkey__V1__Attribute *));

	if (each == NULL || all == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		latchkey__v1__attribute__init(&each[i]);
		MESSAGE_SET(&each[i], key, message_bytes(from[i].key));
		MESSAGE_SET(&each[i], value, message_bytes(from[i].value));
		all[i] = &each[i];
	}
	*ret = all;
	return true;
}

Latchkey__V1__GetSessionResponse *message_get_response(arena *a, const struct session_get_result *from)
{
	Latchkey__V1__GetSessionResponse *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__get_session_response__init(m);
	MESSAGE_SET(m, verdict, (Latchkey__V1__Verdict)from->outcome.verdict);
	MESSAGE_SET(m, reason, (Latchkey__V1__Reason)from->outcome.reason);
	if (from->outcome.revoked_at_ms > 0)
		MESSAGE_SET(m, revoked_at_ms, from->outcome.revoked_at_ms);
	if (from->outcome.verdict != VERDICT_VALID)
		return m;
	m->info = message_info(a, &from->info);
	m->n_attributes = from->attribute_count;
	if (from->successor.len > 0)
		MESSAGE_SET(m, successor, message_bytes(from->successor));
	if (m->info == NULL || !message_attributes(a, from->attributes, from->attribute_count, &m->attributes))
		return NULL;
	return m;
}

bool message_handles(arena *a, char (*handles)[HANDLE_CHARS], size_t count, ProtobufCBinaryData **ret)
{
	ProtobufCBinaryData *out = arena_array(a, count, sizeof(*out));

	if (out == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		out[i] = message_bytes(span_of(handles[i], HANDLE_CHARS));
	*ret = out;
	return true;
}
