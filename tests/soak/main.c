/* A soak: millions of records and tokens, changed as somebody might who can write to Redis, or who makes tokens up. None
 * may be accepted with content that was not sealed for that very session.
 *
 * The judge knows what was ever sealed, in parts and in clear, and looks at bytes: what is accepted must be a base of
 * the session as it was sealed, then deltas of the session as they were sealed, those that are bound in their place; and
 * what is read must be what those hold. Whoever can write to Redis can put back an older record, and reorder, double or
 * drop updates that are bound to no place: docs/security.md says so, and the judge lets it pass, counted apart. */

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "mutate.h"
#include "session/record.h"
#include "subject.h"

/* A part of the suite: some seconds with a sanitizer. `./dev soak` does ten million. */
#define COUNT_DEFAULT 100000
/* One Get's plan, answer and parts. */
#define CALL_BYTES 65536
#define PROGRESS   1000000

#define SUBJECTS_MAX 4

enum fate { FATE_REFUSED, FATE_STORED, FATE_ARRANGED, FATE_WRONG, FATES };

struct tally {
	uint64_t records[MUTATIONS][FATES];
	uint64_t others[SUBJECTS_MAX][ATTEMPT_WRONG + 1];
	uint64_t wrong;
};

/* ---- The judge ---- */

struct content {
	size_t count;
	struct change attributes[SHELF_ATTRIBUTES];
};

static void apply(struct content *c, const struct change *change)
{
	size_t i = 0;

	while (i < c->count && !span_eq(c->attributes[i].key, change->key))
		i++;
	if (change->value.len > 0) {
		c->attributes[i] = *change;
		c->count += i == c->count;
	} else if (i < c->count) {
		c->attributes[i] = c->attributes[--c->count];
	}
}

static bool is_same(const struct content *c, const struct session_get_result *r)
{
	for (size_t i = 0; i < r->attribute_count; i++) {
		size_t k = 0;

		while (k < c->count && !span_eq(c->attributes[k].key, r->attributes[i].key))
			k++;
		if (k == c->count || !span_eq(c->attributes[k].value, r->attributes[i].value))
			return false;
	}
	return r->attribute_count == c->count;
}

/* But for the number of deltas, which changes with updates, and the bounds, which scripts alone read. */
static const struct sealed_base *find_base(const struct good *g, span value)
{
	for (size_t i = 0; i < g->base_count; i++) {
		const span b = g->bases[i].bytes;

		if (value.len >= b.len && memcmp(value.ptr, b.ptr, 50) == 0 &&
		    memcmp(value.ptr + 55, b.ptr + 55, b.len - 55) == 0)
			return &g->bases[i];
	}
	return NULL;
}

static const struct sealed_delta *find_delta(const struct good *g, span rest)
{
	for (size_t i = 0; i < g->delta_count; i++)
		if (span_starts_with(rest, g->deltas[i].bytes))
			return &g->deltas[i];
	return NULL;
}

/* False: something else than what was sealed for g, in a place where it may be. */
static bool read_genuine(const struct good *g, span value, struct content *ret, uint64_t *ret_version)
{
	const struct sealed_base *base = find_base(g, value);
	struct reader at;
	uint64_t version;
	span rest;

	if (base == NULL)
		return false;
	at = reader_over(span_of(value.ptr + 29, 5));
	version = take_number(&at, 5);
	ret->count = base->count;
	memcpy(ret->attributes, base->attributes, sizeof(ret->attributes));
	rest = span_of(value.ptr + base->bytes.len, value.len - base->bytes.len);
	while (rest.len > 0) {
		const struct sealed_delta *d = find_delta(g, rest);
		uint64_t bound;

		if (d == NULL)
			return false;
		at = reader_over(span_of(rest.ptr + 4, 5));
		bound = take_number(&at, 5);
		version++;
		if (bound != 0 && bound != version)
			return false;
		apply(ret, &d->change);
		rest = span_of(rest.ptr + d->bytes.len, rest.len - d->bytes.len);
	}
	*ret_version = version;
	return true;
}

static bool is_stored(const struct good *g, span value)
{
	for (size_t i = 0; i < g->value_count; i++)
		if (span_eq(g->values[i], value))
			return true;
	return false;
}

static enum fate judge(const struct good *g, span value, const struct session_get_result *r)
{
	struct content content;
	uint64_t version;

	if (r->outcome.verdict != VERDICT_VALID)
		return FATE_REFUSED;
	if (!read_genuine(g, value, &content, &version) || !is_same(&content, r) || r->info.version != version ||
	    !span_eq(r->info.user, g->user) || !span_eq(r->info.class_name, g->class_name) ||
	    r->info.created_at_ms != SHELF_NOW_MS)
		return FATE_WRONG;
	return is_stored(g, value) ? FATE_STORED : FATE_ARRANGED;
}

/* ---- One round ---- */

static enum fate get(const struct shelf *s, const struct good *g, span value, arena *a)
{
	const struct plan_env env = shelf_env(s, g->realm, a);
	const struct session_get_request req = {.token = g->token};
	const struct store_reply reply = {.type = STORE_STRING, .string = value};
	struct session_get_result result = {0};
	enum plan_next next = PLAN_DONE;
	struct plan plan;
	struct status st;

	must(session_get_plan(&env, &req, &plan, &st) == STATUS_OK && plan.has_command, "get");
	if (session_get_answer(&env, &plan, &reply, &next, &result, &st) != STATUS_OK || next != PLAN_DONE)
		return FATE_REFUSED;
	return judge(g, value, &result);
}

static void show(const char *what, uint64_t number, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	(void)fprintf(stderr, "soak: number %llu is accepted, and was never sealed: %s\n", (unsigned long long)number,
		      what);
	for (size_t i = 0; i < len; i++)
		(void)fprintf(stderr, "%02x", p[i]);
	(void)fputc('\n', stderr);
}

static const char *mutation_text(enum mutation m)
{
	static const char *const texts[] = {
#define X(id, text) [MUTATE_##id] = (text),
	    MUTATION_MAP(X)
#undef X
	};

	return texts[m];
}

/* False: it came out as it once was stored, and does not count. */
static bool try_record(const struct shelf *s, struct random *r, uint64_t number, arena *a, struct tally *t)
{
	static struct mutant m;
	enum fate fate;

	mutate(s, r, &m);
	fate = get(s, m.at, span_of(m.bytes, m.len), a);
	arena_reset(a);
	t->records[m.kind][fate]++;
	if (fate == FATE_WRONG) {
		t->wrong++;
		show(mutation_text(m.kind), number, m.bytes, m.len);
	}
	return fate != FATE_STORED;
}

static const struct subject {
	const char *name;
	enum attempt (*attempt)(const struct shelf *s, struct random *r, arena *a, struct specimen *ret);
} subjects[] = {
    {"tokens", token_attempt},
    {"forwards", forward_attempt},
    {"anonymous tokens", anonymous_attempt},
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

_Static_assert(SUBJECTS <= SUBJECTS_MAX, "each is counted");

/* False: unchanged. */
static bool try_subject(const struct shelf *s, struct random *r, size_t subject, uint64_t number, arena *a,
			struct tally *t)
{
	static struct specimen specimen;
	const enum attempt attempt = subjects[subject].attempt(s, r, a, &specimen);

	arena_reset(a);
	t->others[subject][attempt]++;
	if (attempt == ATTEMPT_WRONG) {
		t->wrong++;
		show(subjects[subject].name, number, specimen.bytes, specimen.len);
	}
	return attempt != ATTEMPT_UNCHANGED;
}

/* A soak that refused everything would prove nothing. */
static void check_shelf(const struct shelf *s, arena *a)
{
	for (size_t i = 0; i < SHELF_SESSIONS; i++) {
		const struct good *g = &s->sessions[i];

		for (size_t v = 0; v < g->value_count; v++) {
			must(get(s, g, g->values[v], a) == FATE_STORED, "a good record is refused");
			arena_reset(a);
		}
	}
}

/* ---- The program ---- */

struct options {
	uint64_t count;
	uint64_t seed;
};

static const struct argp_option argp_options[] = {
    {.name = "count", .key = 'n', .arg = "N", .doc = "So many changed ones of each kind (default 100000)"},
    {.name = "seed", .key = 's', .arg = "N", .doc = "The run of this seed again (default: by the clock)"},
    {.name = NULL}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end = NULL;
	unsigned long long n;

	if (key != 'n' && key != 's')
		return ARGP_ERR_UNKNOWN;
	n = strtoull(arg, &end, 10);
	if (*arg == '\0' || *end != '\0')
		argp_error(state, "\"%s\" is no number", arg);
	if (key == 'n')
		o->count = n;
	else
		o->seed = n;
	return 0;
}

static void report(const struct tally *t, const struct options *o)
{
	uint64_t sums[FATES] = {0};

	printf("%-58s %10s %10s %10s %6s\n", "", "refused", "stored", "arranged", "wrong");
	for (int m = 0; m < MUTATIONS; m++) {
		const uint64_t *n = t->records[m];

		printf("%-58s %10llu %10llu %10llu %6llu\n", mutation_text((enum mutation)m),
		       (unsigned long long)n[FATE_REFUSED], (unsigned long long)n[FATE_STORED],
		       (unsigned long long)n[FATE_ARRANGED], (unsigned long long)n[FATE_WRONG]);
		for (int f = 0; f < FATES; f++)
			sums[f] += n[f];
	}
	printf("%llu records changed: %llu refused, %llu of the session's own parts rearranged, %llu wrong; besides, "
	       "%llu as "
	       "once stored\n",
	       (unsigned long long)o->count, (unsigned long long)sums[FATE_REFUSED],
	       (unsigned long long)sums[FATE_ARRANGED], (unsigned long long)sums[FATE_WRONG],
	       (unsigned long long)sums[FATE_STORED]);
	for (size_t i = 0; i < SUBJECTS; i++)
		printf("%llu %s changed: %llu refused, %llu wrong; besides, %llu unchanged\n",
		       (unsigned long long)o->count, subjects[i].name,
		       (unsigned long long)t->others[i][ATTEMPT_REFUSED],
		       (unsigned long long)t->others[i][ATTEMPT_WRONG],
		       (unsigned long long)t->others[i][ATTEMPT_UNCHANGED]);
	printf("%llu wrong; seed %llu\n", (unsigned long long)t->wrong, (unsigned long long)o->seed);
}

static void soak(const struct shelf *s, const struct options *o, arena *a, struct tally *t)
{
	uint64_t others[SUBJECTS] = {0};
	struct random r = {o->seed};
	uint64_t records = 0;

	for (uint64_t i = 0; records < o->count; i++) {
		records += try_record(s, &r, i, a, t);
		if ((i + 1) % PROGRESS == 0)
			(void)fprintf(stderr, "soak: %llu million\n", (unsigned long long)((i + 1) / PROGRESS));
	}
	for (size_t k = 0; k < SUBJECTS; k++)
		for (uint64_t i = 0; others[k] < o->count; i++)
			others[k] += try_subject(s, &r, k, i, a, t);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {.options = argp_options,
					 .parser = parse,
					 .doc = "Changes good records and tokens, and expects none to be accepted."};
	struct options o = {.count = COUNT_DEFAULT, .seed = (uint64_t)time(NULL)};
	static struct shelf shelf;
	struct tally tally = {0};
	arena *a = arena_new(CALL_BYTES, PLAN_BYTES_MAX);

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	must(a != NULL, "no memory");
	shelf_open(&shelf);
	check_shelf(&shelf, a);
	soak(&shelf, &o, a, &tally);
	report(&tally, &o);
	shelf_close(&shelf);
	arena_free(&a);
	return tally.wrong == 0 ? 0 : 1;
}
