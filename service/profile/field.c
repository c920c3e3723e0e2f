/* A field's id is a keyed hash of user and name: derivable, so that some fields can be asked for, and different for each
 * user, so that nobody sees who has the same ones. A value's seal holds the name as well. A counter is a plain number,
 * since Redis adds to it; its name is sealed beside it, in a field of its own: a list of all names would have to be read
 * and written whole by whoever adds one, in a second round trip. Seals are bound to key, id and format. */

#include "profile/field.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "compress/compress.h"
#include "crypto/names.h"
#include "crypto/seal.h"

enum field_format { FORMAT_VALUE = 1, FORMAT_VALUE_ZSTD = 2, FORMAT_COUNTER = 3 };

/* Format, number of the key, bytes of name and value. */
#define SEAL_HEAD_BYTES 5
#define STAMP_BYTES	8
/* id, kind, two lengths. */
#define ITEM_HEAD_BYTES (FIELD_ID_BYTES + 1 + 2 + 2)
/* "-9223372036854775808" */
#define NUMBER_CHARS_MAX 20
#define AD_BYTES_MAX	 (sizeof("lk1:p:{}") - 1 + USER_TAG_CHARS + FIELD_ID_BYTES + 1)

static size_t sealed_bytes(size_t name_len, size_t value_len)
{
	return SEAL_HEAD_BYTES + SEAL_OVERHEAD_BYTES + 1 + name_len + value_len;
}

_Static_assert(SEAL_HEAD_BYTES + SEAL_OVERHEAD_BYTES + 1 + FIELD_NAME_BYTES_MAX + FIELD_VALUE_BYTES_MAX <= UINT16_MAX,
	       "an item's lengths have two bytes");

void field_id(const struct field_place *place, span name, uint8_t out[static FIELD_ID_BYTES])
{
	const span inputs[] = {span_of(place->tag, USER_TAG_CHARS), name};

	name_hash(place->env->keys, NAME_FIELD, inputs, 2, out, FIELD_ID_BYTES);
}

static span seal_ad(const struct field_place *place, span id, enum field_format format,
		    uint8_t out[static AD_BYTES_MAX])
{
	struct writer w = writer_over(out, AD_BYTES_MAX);

	put_bytes(&w, place->key);
	put_bytes(&w, id);
	put_number(&w, format, 1);
	return span_of(out, (size_t)(w.at - out));
}

/* Head and seal of name and value, behind w. `plain` is the length of the value as it is counted. */
static bool put_seal(const struct field_place *place, span id, enum field_format format, span name, span value,
		     size_t plain, struct writer *w)
{
	const keyring *keys = place->env->keys;
	const uint16_t key_id = keyring_first_id(keys);
	uint8_t *text = arena_alloc(place->env->arena, 1 + name.len + value.len);
	struct writer t = writer_over(text, 1 + name.len + value.len);
	const size_t len = sealed_bytes(name.len, value.len) - SEAL_HEAD_BYTES;
	uint8_t ad[AD_BYTES_MAX];

	if (text == NULL)
		return false;
	put_number(&t, name.len, 1);
	put_bytes(&t, name);
	put_bytes(&t, value);
	put_number(w, format, 1);
	put_number(w, key_id, 2);
	put_number(w, name.len + plain, 2);
	assert((size_t)(w->end - w->at) >= len);
	seal(keys, key_id, SEAL_METADATA, SPAN_EMPTY, seal_ad(place, id, format, ad),
	     span_of(text, 1 + name.len + value.len), w->at);
	w->at += len;
	return true;
}

/* ---- Items ---- */

static size_t number_print(int64_t n, char out[static NUMBER_CHARS_MAX + 1])
{
	return (size_t)snprintf(out, NUMBER_CHARS_MAX + 1, "%lld", (long long)n);
}

static bool put_value(const struct field_place *place, const struct profile_field *f, struct writer *w)
{
	enum field_format format = FORMAT_VALUE;
	span value = f->value;
	uint8_t id[FIELD_ID_BYTES];

	if (compress_text(place->env->compressor, place->env->arena, value, &value))
		format = FORMAT_VALUE_ZSTD;
	field_id(place, f->name, id);
	put_bytes(w, span_of(id, sizeof(id)));
	put_bytes(w, SPAN_LIT("v"));
	put_number(w, 0, 2);
	put_number(w, sealed_bytes(f->name.len, value.len), 2);
	return put_seal(place, span_of(id, sizeof(id)), format, f->name, value, f->value.len, w);
}

static bool put_counter(const struct field_place *place, span kind, span name, int64_t n, struct writer *w)
{
	char digits[NUMBER_CHARS_MAX + 1];
	const size_t len = number_print(n, digits);
	uint8_t id[FIELD_ID_BYTES];

	field_id(place, name, id);
	put_bytes(w, span_of(id, sizeof(id)));
	put_bytes(w, kind);
	put_number(w, len, 2);
	put_bytes(w, span_of(digits, len));
	put_number(w, sealed_bytes(name.len, 0), 2);
	return put_seal(place, span_of(id, sizeof(id)), FORMAT_COUNTER, name, SPAN_EMPTY, PROFILE_NUMBER_BYTES, w);
}

static void put_removal(const struct field_place *place, span name, struct writer *w)
{
	uint8_t id[FIELD_ID_BYTES];

	field_id(place, name, id);
	put_bytes(w, span_of(id, sizeof(id)));
	put_bytes(w, SPAN_LIT("r"));
	put_number(w, 0, 4);
}

static size_t items_bytes_max(const struct profile_change_request *req)
{
	const size_t counter_bytes = ITEM_HEAD_BYTES + NUMBER_CHARS_MAX + sealed_bytes(FIELD_NAME_BYTES_MAX, 0);
	size_t bytes = req->increment_count * counter_bytes + req->remove_count * ITEM_HEAD_BYTES;

	for (size_t i = 0; i < req->set_count; i++)
		bytes += req->set[i].is_counter
			     ? counter_bytes
			     : ITEM_HEAD_BYTES + sealed_bytes(req->set[i].name.len, req->set[i].value.len);
	return bytes;
}

bool field_items(const struct field_place *place, const struct profile_change_request *req, span *ret)
{
	const size_t room = items_bytes_max(req);
	uint8_t *out = arena_alloc(place->env->arena, room);
	struct writer w = writer_over(out, room);
	bool ok = out != NULL;

	for (size_t i = 0; i < req->increment_count && ok; i++)
		ok = put_counter(place, SPAN_LIT("i"), req->increments[i].name, req->increments[i].by, &w);
	for (size_t i = 0; i < req->set_count && ok; i++) {
		const struct profile_field *f = &req->set[i];

		ok =
		    f->is_counter ? put_counter(place, SPAN_LIT("c"), f->name, f->number, &w) : put_value(place, f, &w);
	}
	for (size_t i = 0; i < req->remove_count && ok; i++)
		put_removal(place, req->remove[i], &w);
	if (ok)
		*ret = span_of(out, (size_t)(w.at - out));
	return ok;
}

/* ---- Checks ---- */

static int compare_names(const void *a, const void *b)
{
	const span *x = a;
	const span *y = b;
	const size_t common = x->len < y->len ? x->len : y->len;
	const int order = common == 0 ? 0 : memcmp(x->ptr, y->ptr, common);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static enum status_code check_names(span *names, size_t count, struct status *st)
{
	for (size_t i = 0; i < count; i++)
		if (check_bytes("field name", names[i].len, 1, FIELD_NAME_BYTES_MAX, st) != STATUS_OK)
			return st->code;
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count; i++)
		if (span_eq(names[i - 1], names[i]))
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "a field is named twice; name each once, in one of the lists");
	return STATUS_OK;
}

static enum status_code check_values(const struct profile_change_request *req, struct status *st)
{
	size_t bytes = 0;

	for (size_t i = 0; i < req->set_count; i++) {
		const struct profile_field *f = &req->set[i];

		if (check_bytes("field value", f->value.len, 0, FIELD_VALUE_BYTES_MAX, st) != STATUS_OK)
			return st->code;
		bytes += f->name.len + (f->is_counter ? PROFILE_NUMBER_BYTES : f->value.len);
	}
	if (bytes <= PROFILE_BYTES_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "the fields have %zu bytes of names and values; at most %d. Keep large values elsewhere",
			  bytes, PROFILE_BYTES_MAX);
}

enum status_code field_check(const struct profile_change_request *req, struct status *st)
{
	const size_t count = req->set_count + req->remove_count + req->increment_count;
	const size_t max = req->kind == PROFILE_PUT ? PROFILE_FIELDS_MAX : PROFILE_AT_ONCE_MAX;
	span names[PROFILE_FIELDS_MAX];
	size_t n = 0;

	if (count > max)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%zu fields; at most %zu in a call", count, max);
	for (size_t i = 0; i < req->set_count; i++)
		names[n++] = req->set[i].name;
	for (size_t i = 0; i < req->remove_count; i++)
		names[n++] = req->remove[i];
	for (size_t i = 0; i < req->increment_count; i++)
		names[n++] = req->increments[i].name;
	return check_names(names, n, st) == STATUS_OK ? check_values(req, st) : st->code;
}

/* ---- Opening ---- */

bool field_number_parse(span text, int64_t *ret)
{
	char digits[NUMBER_CHARS_MAX + 1];
	char *end;
	long long n;

	if (text.len == 0 || text.len > NUMBER_CHARS_MAX ||
	    (text.ptr[0] != '-' && (text.ptr[0] < '0' || text.ptr[0] > '9')))
		return false;
	memcpy(digits, text.ptr, text.len);
	digits[text.len] = 0;
	errno = 0;
	n = strtoll(digits, &end, 10);
	if (errno != 0 || *end != 0 || end == digits)
		return false;
	*ret = n;
	return true;
}

/* A stamped seal, to name and value. */
static enum field_result open_seal(const struct field_place *place, span id, span stored, enum field_format *ret_format,
				   span *ret_name, span *ret_value)
{
	const struct plan_env *env = place->env;
	struct reader r = reader_over(stored);
	uint8_t ad[AD_BYTES_MAX];
	uint16_t key_id;
	size_t len;
	uint8_t *text;

	(void)take_bytes(&r, STAMP_BYTES);
	*ret_format = (enum field_format)take_number(&r, 1);
	key_id = (uint16_t)take_number(&r, 2);
	(void)take_number(&r, 2);
	if (r.is_short || reader_left(&r) <= SEAL_OVERHEAD_BYTES || *ret_format < FORMAT_VALUE ||
	    *ret_format > FORMAT_COUNTER)
		return FIELD_UNREADABLE;
	if (!keyring_has(env->keys, key_id))
		return FIELD_KEY_MISSING;
	len = reader_left(&r) - SEAL_OVERHEAD_BYTES;
	text = arena_alloc(env->arena, len);
	if (text == NULL)
		return FIELD_NO_MEMORY;
	if (!seal_open(env->keys, key_id, SEAL_METADATA, SPAN_EMPTY, seal_ad(place, id, *ret_format, ad),
		       span_of(r.at, reader_left(&r)), text))
		return FIELD_UNREADABLE;
	keyring_note(env->keys, key_id, KEY_USE_PART, env->now_ms);
	r = reader_over(span_of(text, len));
	*ret_name = take_bytes(&r, take_number(&r, 1));
	*ret_value = take_bytes(&r, reader_left(&r));
	return r.is_short ? FIELD_UNREADABLE : FIELD_OK;
}

static enum field_result open_counter(const struct field_place *place, const struct field_stored *from,
				      struct profile_field *ret)
{
	struct profile_field f = {.is_counter = true, .name = from->name};
	enum field_result result = FIELD_OK;
	enum field_format format = FORMAT_COUNTER;
	span nothing;

	if (from->name_seal.len > 0)
		result = open_seal(place, from->id, from->name_seal, &format, &f.name, &nothing);
	if (result != FIELD_OK)
		return result;
	if (format != FORMAT_COUNTER || f.name.len == 0 || !field_number_parse(from->text, &f.number))
		return FIELD_UNREADABLE;
	*ret = f;
	return FIELD_OK;
}

enum field_result field_open(const struct field_place *place, const struct field_stored *from,
			     struct profile_field *ret)
{
	struct profile_field f = {0};
	enum field_format format;
	enum field_result result;

	/* A stamp is far below 2^56, so a value begins with a zero byte. */
	if (from->text.len == 0 || from->text.ptr[0] != 0)
		return open_counter(place, from, ret);
	result = open_seal(place, from->id, from->text, &format, &f.name, &f.value);
	if (result != FIELD_OK)
		return result;
	if (format == FORMAT_COUNTER)
		return FIELD_UNREADABLE;
	if (format == FORMAT_VALUE_ZSTD &&
	    !decompress_text(place->env->compressor, place->env->arena, f.value, FIELD_VALUE_BYTES_MAX, &f.value))
		return FIELD_UNREADABLE;
	*ret = f;
	return FIELD_OK;
}
