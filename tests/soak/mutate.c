/* What somebody who can write to Redis may put in a record's place: made with knowledge of the layout, so that what fails
 * fails by its seals and not by its shape. */

#include "mutate.h"

#include "session/record.h"

/* Where the header's fields are and how long: record.h. */
static const struct field {
	uint8_t at;
	uint8_t len;
} fields[] = {{0, 1},  {1, 2},	{3, 6},	 {9, 6},   {15, 4}, {19, 4}, {23, 4}, {27, 2},
	      {29, 5}, {34, 2}, {36, 2}, {38, 12}, {50, 1}, {51, 2}, {53, 2}};

static const struct good *pick_session(const struct shelf *s, struct random *r)
{
	return &s->sessions[random_below(r, SHELF_SESSIONS)];
}

static span pick_value(const struct good *g, struct random *r)
{
	return g->values[random_below(r, g->value_count)];
}

/* A record of anybody's, mostly of g's own: those are the dangerous ones. */
static span pick_other(const struct shelf *s, const struct good *g, struct random *r)
{
	return pick_value(random_below(r, 3) == 0 ? pick_session(s, r) : g, r);
}

static void put(struct mutant *m, span bytes)
{
	const size_t room = sizeof(m->bytes) - m->len;
	const size_t len = bytes.len < room ? bytes.len : room;

	if (len > 0)
		memcpy(m->bytes + m->len, bytes.ptr, len);
	m->len += len;
}

/* Of a longer field, the nonce, its last eight bytes. */
static uint64_t number_at(const uint8_t *bytes, size_t at, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | bytes[at + i];
	return n;
}

static void set_number(uint8_t *bytes, size_t at, size_t len, uint64_t n)
{
	for (size_t i = len; i > 0; i--, n >>= 8)
		bytes[at + i - 1] = (uint8_t)n;
}

/* So many deltas as are there. */
static void set_count(struct mutant *m, size_t deltas)
{
	m->bytes[50] = (uint8_t)deltas;
}

static void flip(struct mutant *m, struct random *r)
{
	for (size_t n = 1 + random_below(r, 4); n > 0; n--) {
		const size_t bit = random_below(r, 8 * m->len);

		m->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void overwrite(struct mutant *m, struct random *r)
{
	const size_t start = random_below(r, m->len);
	const size_t len = 1 + random_below(r, 40);

	for (size_t i = start; i < start + len && i < m->len; i++)
		m->bytes[i] = (uint8_t)random_next(r);
}

static void cut(struct mutant *m, struct random *r)
{
	if (random_below(r, 2) == 0) {
		m->len = random_below(r, m->len);
		return;
	}
	for (size_t n = 1 + random_below(r, 80); n > 0 && m->len < sizeof(m->bytes); n--)
		m->bytes[m->len++] = (uint8_t)(random_below(r, 2) == 0 ? 0 : random_next(r));
}

static void splice(struct mutant *m, const struct shelf *s, struct random *r)
{
	const span tail = pick_other(s, m->at, r);
	const size_t from = random_below(r, tail.len);

	/* At the same place in both, or anywhere. */
	m->len = random_below(r, 2) == 0 && from < m->len ? from : random_below(r, m->len);
	put(m, span_of(tail.ptr + from, tail.len - from));
}

static void mix_parts(struct mutant *m, const struct shelf *s, struct random *r)
{
	const span header = pick_other(s, m->at, r);
	struct record metadata = {0};
	struct record data = {0};
	struct record deltas = {0};
	const span of_deltas = pick_other(s, m->at, r);

	must(record_split(pick_other(s, m->at, r), &metadata) == RECORD_OK &&
		 record_split(pick_other(s, m->at, r), &data) == RECORD_OK &&
		 record_split(of_deltas, &deltas) == RECORD_OK,
	     "split");
	m->len = 0;
	put(m, span_of(header.ptr, RECORD_HEADER_BYTES));
	put(m, metadata.metadata);
	put(m, data.data);
	put(m, deltas.deltas);
	set_number(m->bytes, 34, 2, metadata.metadata.len);
	set_number(m->bytes, 36, 2, data.data.len);
	set_count(m, deltas.header.delta_count);
}

static void set_fields(struct mutant *m, const struct shelf *s, struct random *r)
{
	const span other = pick_other(s, m->at, r);

	for (size_t n = 1 + random_below(r, 3); n > 0; n--) {
		const struct field *f = &fields[random_below(r, sizeof(fields) / sizeof(fields[0]))];
		const uint64_t old = number_at(m->bytes, f->at, f->len);

		switch (random_below(r, 5)) {
		case 0:
			set_number(m->bytes, f->at, f->len, random_next(r));
			break;
		case 1:
			set_number(m->bytes, f->at, f->len, old + 1);
			break;
		case 2:
			set_number(m->bytes, f->at, f->len, old - 1);
			break;
		case 3:
			set_number(m->bytes, f->at, f->len, random_below(r, 4));
			break;
		default:
			set_number(m->bytes, f->at, f->len, number_at(other.ptr, f->at, f->len));
		}
	}
}

static span pick_delta(const struct shelf *s, const struct good *g, struct random *r)
{
	const struct good *from = random_below(r, 6) == 0 ? pick_session(s, r) : g;

	if (from->delta_count == 0)
		return SPAN_EMPTY;
	return from->deltas[random_below(r, from->delta_count)].bytes;
}

static void change_updates(struct mutant *m, const struct shelf *s, struct random *r)
{
	const span base = m->at->bases[random_below(r, m->at->base_count)].bytes;
	size_t count = 0;

	m->len = 0;
	put(m, base);
	for (size_t n = random_below(r, 2 * SHELF_DELTAS); n > 0; n--) {
		const span delta = pick_delta(s, m->at, r);

		put(m, delta);
		count += delta.len > 0;
	}
	set_count(m, count);
}

void mutate(const struct shelf *s, struct random *r, struct mutant *ret)
{
	struct mutant *m = ret;

	m->kind = (enum mutation)random_below(r, MUTATIONS);
	m->at = pick_session(s, r);
	m->len = 0;
	put(m, pick_value(m->at, r));
	switch (m->kind) {
	case MUTATE_FLIP:
		flip(m, r);
		break;
	case MUTATE_OVERWRITE:
		overwrite(m, r);
		break;
	case MUTATE_CUT:
		cut(m, r);
		break;
	case MUTATE_SPLICE:
		splice(m, s, r);
		break;
	case MUTATE_PARTS:
		mix_parts(m, s, r);
		break;
	case MUTATE_HEADER:
		set_fields(m, s, r);
		break;
	case MUTATE_UPDATES:
		change_updates(m, s, r);
		break;
	case MUTATE_MOVED:
	case MUTATIONS:
		m->at = pick_session(s, r);
		break;
	}
}
