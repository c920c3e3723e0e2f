#include "session/attributes.h"

#include <stdlib.h>

#include "base/bytes.h"

/* Beside a key's length. */
#define CHANGE_REMOVES 0x80

_Static_assert(ATTRIBUTE_KEY_BYTES_MAX < CHANGE_REMOVES, "a key's length leaves a bit");
_Static_assert(ATTRIBUTE_VALUE_BYTES_MAX < 1 << 21, "three bytes of seven bits hold a value's length");

enum metadata_tag { META_USER = 1, META_AT_MS, META_AAL, META_AMR, META_USER_AGENT, META_IP, META_LABEL };

/* tag, length of at most two bytes */
#define META_OVERHEAD_BYTES 3
/* User, time, level, device, methods. */
#define META_FIELDS_MAX (3 + 3 + AMR_MAX)

struct change {
	span key;
	span value;
	size_t order;
	bool is_removal;
};

static size_t length_bytes(size_t len)
{
	return len < 1 << 7 ? 1 : len < 1 << 14 ? 2 : 3;
}

/* LEB128: seven bits in each byte, the low ones first; all but the last have the eighth. */
static void put_length(struct writer *w, size_t len)
{
	for (; len >= 0x80; len >>= 7)
		put_number(w, (len & 0x7f) | 0x80, 1);
	put_number(w, len, 1);
}

static size_t take_length(struct reader *r)
{
	size_t len = 0;

	for (unsigned shift = 0; shift < 21; shift += 7) {
		const size_t byte = take_number(r, 1);

		len |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return len;
	}
	r->is_short = true;
	return 0;
}

size_t attributes_text_bytes(const struct session_attribute *set, size_t set_count, const span *remove,
			     size_t remove_count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < set_count; i++)
		bytes += 1 + set[i].key.len + length_bytes(set[i].value.len) + set[i].value.len;
	for (size_t i = 0; i < remove_count; i++)
		bytes += 1 + remove[i].len;
	return bytes;
}

static void put_set(struct writer *w, span key, span value)
{
	put_number(w, key.len, 1);
	put_bytes(w, key);
	put_length(w, value.len);
	put_bytes(w, value);
}

static void put_removal(struct writer *w, span key)
{
	put_number(w, key.len | CHANGE_REMOVES, 1);
	put_bytes(w, key);
}

bool attributes_print(arena *a, const struct session_attribute *set, size_t set_count, const span *remove,
		      size_t remove_count, span *ret)
{
	const size_t bytes = attributes_text_bytes(set, set_count, remove, remove_count);
	uint8_t *text = arena_alloc(a, bytes);
	struct writer w;

	if (text == NULL)
		return false;
	w = writer_over(text, bytes);
	for (size_t i = 0; i < remove_count; i++)
		put_removal(&w, remove[i]);
	for (size_t i = 0; i < set_count; i++)
		put_set(&w, set[i].key, set[i].value);
	*ret = span_of(text, bytes);
	return true;
}

/* False: damaged. */
static bool take_change(struct reader *r, struct change *ret)
{
	const uint64_t first = take_number(r, 1);

	ret->is_removal = (first & CHANGE_REMOVES) != 0;
	ret->key = take_bytes(r, first & (CHANGE_REMOVES - 1));
	ret->value = ret->is_removal ? SPAN_EMPTY : take_bytes(r, take_length(r));
	return !r->is_short;
}

static bool count_changes(span text, size_t *count)
{
	struct reader r = reader_over(text);
	struct change c;

	while (reader_left(&r) > 0) {
		if (!take_change(&r, &c))
			return false;
		(*count)++;
	}
	return true;
}

static int compare_keys(span a, span b)
{
	const size_t shorter = a.len < b.len ? a.len : b.len;
	const int by_bytes = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);

	if (by_bytes != 0)
		return by_bytes;
	return (a.len > b.len) - (a.len < b.len);
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a;
	const struct change *y = b;
	const int by_key = compare_keys(x->key, y->key);

	return by_key != 0 ? by_key : (x->order > y->order) - (x->order < y->order);
}

/* changes are sorted: of each key the last one counts. */
static size_t settle(const struct change *changes, size_t count, struct session_attribute *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const bool is_last = i + 1 == count || compare_keys(changes[i].key, changes[i + 1].key) != 0;

		if (is_last && !changes[i].is_removal)
			out[kept++] = (struct session_attribute){changes[i].key, changes[i].value};
	}
	return kept;
}

enum attributes_result attributes_merge(arena *a, const span *texts, size_t text_count,
					const struct session_attribute **ret, size_t *ret_count)
{
	struct session_attribute *out;
	struct change *changes;
	size_t count = 0;
	size_t n = 0;

	for (size_t i = 0; i < text_count; i++)
		if (!count_changes(texts[i], &count))
			return ATTRIBUTES_DAMAGED;
	changes = arena_array(a, count, sizeof(*changes));
	out = arena_array(a, count, sizeof(*out));
	if (changes == NULL || out == NULL)
		return ATTRIBUTES_NO_MEMORY;
	for (size_t i = 0; i < text_count; i++) {
		struct reader r = reader_over(texts[i]);

		while (reader_left(&r) > 0 && take_change(&r, &changes[n])) {
			changes[n].order = n;
			n++;
		}
	}
	assert(n == count);
	if (count > 1)
		qsort(changes, count, sizeof(*changes), compare_changes);
	*ret_count = settle(changes, count, out);
	*ret = out;
	return ATTRIBUTES_OK;
}

static void put_field(struct writer *w, enum metadata_tag tag, span value)
{
	if (value.len == 0)
		return;
	put_number(w, tag, 1);
	put_length(w, value.len);
	put_bytes(w, value);
}

static void put_number_field(struct writer *w, enum metadata_tag tag, uint64_t n, size_t bytes)
{
	if (n == 0)
		return;
	put_number(w, tag, 1);
	put_length(w, bytes);
	put_number(w, n, bytes);
}

bool metadata_print(arena *a, const struct metadata *m, span *ret)
{
	const struct session_authentication *auth = &m->authentication;
	size_t bytes = META_FIELDS_MAX * META_OVERHEAD_BYTES + 8 + 1 + m->user.len + m->device.user_agent.len +
		       m->device.ip.len + m->device.label.len;
	uint8_t *text;
	struct writer w;

	for (size_t i = 0; i < auth->amr_count; i++)
		bytes += auth->amr[i].len;
	text = arena_alloc(a, bytes);
	if (text == NULL)
		return false;
	w = writer_over(text, bytes);
	put_field(&w, META_USER, m->user);
	put_number_field(&w, META_AT_MS, auth->at_ms, 8);
	put_number_field(&w, META_AAL, auth->aal, 1);
	for (size_t i = 0; i < auth->amr_count; i++)
		put_field(&w, META_AMR, auth->amr[i]);
	put_field(&w, META_USER_AGENT, m->device.user_agent);
	put_field(&w, META_IP, m->device.ip);
	put_field(&w, META_LABEL, m->device.label);
	*ret = span_of(text, (size_t)(w.at - text));
	return true;
}

static uint64_t number_of(span value)
{
	struct reader r = reader_over(value);

	return value.len <= 8 ? take_number(&r, value.len) : 0;
}

static void keep_field(struct metadata *m, uint64_t tag, span value)
{
	struct session_authentication *auth = &m->authentication;

	switch (tag) {
	case META_USER:
		m->user = value;
		break;
	case META_AT_MS:
		auth->at_ms = number_of(value);
		break;
	case META_AAL:
		auth->aal = (uint32_t)number_of(value);
		break;
	case META_AMR:
		if (auth->amr_count < AMR_MAX)
			auth->amr[auth->amr_count++] = value;
		break;
	case META_USER_AGENT:
		m->device.user_agent = value;
		break;
	case META_IP:
		m->device.ip = value;
		break;
	case META_LABEL:
		m->device.label = value;
		break;
	default:
		/* Written by a newer version that keeps the format: this one does not show it. */
		break;
	}
}

bool metadata_read(span text, struct metadata *ret)
{
	struct reader r = reader_over(text);
	struct metadata m = {0};

	while (reader_left(&r) > 0) {
		const uint64_t tag = take_number(&r, 1);
		const span value = take_bytes(&r, take_length(&r));

		if (r.is_short)
			return false;
		keep_field(&m, tag, value);
	}
	*ret = m;
	return true;
}
