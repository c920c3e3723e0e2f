#include "profile/entry.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "crypto/seal.h"
#include "profile/field.h"

#define ENTRY_FORMAT 1
#define HEAD_BYTES   26 /* in front of the counters */
#define SEAL_BYTES   3	/* format and number of the key */
#define AD_BYTES     (sizeof("lk1:c:{}") - 1 + USER_TAG_CHARS + 1)
/* Mark, length of the name, length of the value. */
#define PART_BYTES 4
/* "-9223372036854775808" */
#define NUMBER_CHARS_MAX 20

/* ---- Writing ---- */

static void put_part(struct writer *w, char mark, span name, span value)
{
	put_number(w, (uint8_t)mark, 1);
	put_number(w, name.len, 1);
	put_bytes(w, name);
	put_number(w, value.len, 2);
	put_bytes(w, value);
}

static void put_counter(struct writer *w, char mark, span name, int64_t number)
{
	char digits[NUMBER_CHARS_MAX + 1];
	const int len = snprintf(digits, sizeof(digits), "%" PRId64, number);

	put_part(w, mark, name, span_of(digits, (size_t)len));
}

static size_t text_bytes_max(const struct profile_change_request *req)
{
	const size_t parts = req->set_count + req->remove_count + req->increment_count;
	size_t bytes = 1 + 2 + req->user.len + parts * (PART_BYTES + FIELD_NAME_BYTES_MAX + NUMBER_CHARS_MAX);

	for (size_t i = 0; i < req->set_count; i++)
		bytes += req->set[i].value.len;
	return bytes;
}

bool entry_print(const struct plan_env *env, const struct profile_change_request *req, span *ret)
{
	const size_t room = text_bytes_max(req);
	uint8_t *out = arena_alloc(env->arena, room);
	struct writer w = writer_over(out, room);

	if (out == NULL)
		return false;
	put_number(&w, req->kind, 1);
	put_number(&w, req->user.len, 2);
	put_bytes(&w, req->user);
	for (size_t i = 0; i < req->increment_count; i++)
		put_counter(&w, 'i', req->increments[i].name, req->increments[i].by);
	for (size_t i = 0; i < req->set_count; i++) {
		const struct profile_field *f = &req->set[i];

		if (f->is_counter)
			put_counter(&w, 'c', f->name, f->number);
		else
			put_part(&w, 'v', f->name, f->value);
	}
	for (size_t i = 0; i < req->remove_count; i++)
		put_part(&w, 'r', req->remove[i], SPAN_EMPTY);
	*ret = span_of(out, (size_t)(w.at - out));
	return true;
}

/* Bound to the realm's stream; false: no memory. */
static bool make_ad(const struct plan_env *env, uint8_t out[static AD_BYTES])
{
	struct writer w = writer_over(out, AD_BYTES);
	span stream;

	if (!key_of_stream(env, &stream))
		return false;
	put_bytes(&w, stream);
	put_number(&w, ENTRY_FORMAT, 1);
	return true;
}

bool entry_seal(const struct plan_env *env, span text, span *ret)
{
	const uint16_t key_id = keyring_first_id(env->keys);
	const size_t bytes = SEAL_BYTES + SEAL_OVERHEAD_BYTES + text.len;
	uint8_t *out = arena_alloc(env->arena, bytes);
	struct writer w = writer_over(out, bytes);
	uint8_t ad[AD_BYTES];

	if (out == NULL || !make_ad(env, ad))
		return false;
	put_number(&w, ENTRY_FORMAT, 1);
	put_number(&w, key_id, 2);
	seal(env->keys, key_id, SEAL_METADATA, SPAN_EMPTY, span_of(ad, sizeof(ad)), text, w.at);
	*ret = span_of(out, bytes);
	return true;
}

/* ---- Reading ---- */

bool entry_stamp(span entry, uint64_t *ret)
{
	struct reader r = reader_over(entry);
	uint64_t stamp;

	(void)take_bytes(&r, 16);
	stamp = take_number(&r, 8);
	if (r.is_short)
		return false;
	*ret = stamp;
	return true;
}

/* What is in front of the next comma, or all. */
static span take_number_text(span *text)
{
	const uint8_t *comma = text->len == 0 ? NULL : memchr(text->ptr, ',', text->len);
	const size_t len = comma == NULL ? text->len : (size_t)(comma - text->ptr);
	const span one = span_of(text->ptr, len);

	*text = comma == NULL ? SPAN_EMPTY : span_of(comma + 1, text->len - len - 1);
	return one;
}

bool entry_counters(span text, size_t count, const struct profile_increment *names, struct profile_field *out)
{
	for (size_t i = 0; i < count; i++) {
		out[i] = (struct profile_field){.is_counter = true, .name = names[i].name};
		if (!field_number_parse(take_number_text(&text), &out[i].number))
			return false;
	}
	return text.len == 0;
}

/* Fields and names as many as there can be. */
struct parts {
	struct profile_field *set;
	span *removed;
	size_t set_count;
	size_t removed_count;
};

static bool take_part(struct reader *r, span *counters, struct parts *parts)
{
	const char mark = (char)take_number(r, 1);
	const span name = take_bytes(r, take_number(r, 1));
	const span value = take_bytes(r, take_number(r, 2));
	struct profile_field field = {.name = name, .is_counter = mark != 'v'};

	if (r->is_short || parts->set_count + parts->removed_count >= PROFILE_FIELDS_MAX)
		return false;
	if (mark == 'r') {
		parts->removed[parts->removed_count++] = name;
		return true;
	}
	if (mark == 'v')
		field.value = value;
	else if (!field_number_parse(mark == 'i' ? take_number_text(counters) : value, &field.number))
		return false;
	parts->set[parts->set_count++] = field;
	return true;
}

static size_t count_parts(struct reader r)
{
	size_t count = 0;

	while (reader_left(&r) > 0 && !r.is_short) {
		(void)take_number(&r, 1);
		(void)take_bytes(&r, take_number(&r, 1));
		(void)take_bytes(&r, take_number(&r, 2));
		count++;
	}
	return count;
}

static enum entry_result read_text(const struct plan_env *env, span text, span counters, struct profile_change *out)
{
	struct reader r = reader_over(text);
	struct parts parts = {0};
	size_t count;

	out->kind = (enum profile_kind)take_number(&r, 1);
	out->user = take_bytes(&r, take_number(&r, 2));
	if (r.is_short || out->kind < PROFILE_PUT || out->kind > PROFILE_DELETE)
		return ENTRY_UNREADABLE;
	count = count_parts(r);
	parts.set = arena_array(env->arena, count, sizeof(*parts.set));
	parts.removed = arena_array(env->arena, count, sizeof(*parts.removed));
	if (parts.set == NULL || parts.removed == NULL)
		return ENTRY_NO_MEMORY;
	while (reader_left(&r) > 0)
		if (!take_part(&r, &counters, &parts))
			return ENTRY_UNREADABLE;
	out->set = parts.set;
	out->set_count = parts.set_count;
	out->removed = parts.removed;
	out->removed_count = parts.removed_count;
	return ENTRY_OPEN;
}

static enum entry_result open_sealed(const struct plan_env *env, struct reader *r, span *ret)
{
	const uint64_t format = take_number(r, 1);
	const uint16_t key_id = (uint16_t)take_number(r, 2);
	uint8_t ad[AD_BYTES];
	uint8_t *text;
	size_t len;

	if (r->is_short || format != ENTRY_FORMAT || reader_left(r) < SEAL_OVERHEAD_BYTES)
		return ENTRY_UNREADABLE;
	if (!keyring_has(env->keys, key_id)) {
		metric_add(METRIC_RECORDS_KEY_MISSING, 1);
		return ENTRY_UNREADABLE;
	}
	len = reader_left(r) - SEAL_OVERHEAD_BYTES;
	text = arena_alloc(env->arena, len);
	if (text == NULL || !make_ad(env, ad))
		return ENTRY_NO_MEMORY;
	if (!seal_open(env->keys, key_id, SEAL_METADATA, SPAN_EMPTY, span_of(ad, sizeof(ad)),
		       span_of(r->at, reader_left(r)), text))
		return ENTRY_UNREADABLE;
	keyring_note(env->keys, key_id, KEY_USE_PART, env->now_ms);
	*ret = span_of(text, len);
	return ENTRY_OPEN;
}

enum entry_result entry_open(const struct plan_env *env, span entry, struct profile_change *ret)
{
	struct reader r = reader_over(entry);
	struct profile_change out = {0};
	enum entry_result result;
	span counters;
	span text;

	out.created_at_ms = take_number(&r, 8);
	out.version = take_number(&r, 8);
	out.at_ms = take_number(&r, 8) / 1000;
	/* Of the reply: not to be kept. */
	if (!arena_copy(env->arena, take_bytes(&r, take_number(&r, 2)), &counters))
		return ENTRY_NO_MEMORY;
	result = open_sealed(env, &r, &text);
	if (result == ENTRY_OPEN)
		result = read_text(env, text, counters, &out);
	if (result == ENTRY_OPEN)
		*ret = out;
	return result;
}
