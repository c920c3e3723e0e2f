#include "redis/term.h"

#include <assert.h>

static enum term after_joining(const struct term_facts *f)
{
	if (f->is_joined && f->is_well)
		return TERM_SERVING;
	return f->is_overdue && !f->is_well ? TERM_DOWN : TERM_JOINING;
}

static enum term after_serving(const struct term_facts *f)
{
	if (f->is_another_run)
		return TERM_JOINING;
	return f->is_well ? TERM_SERVING : TERM_SUSPECT;
}

static enum term after_suspect(const struct term_facts *f)
{
	if (f->is_another_run)
		return TERM_JOINING;
	if (f->is_well)
		return TERM_SERVING;
	return f->is_overdue ? TERM_DOWN : TERM_SUSPECT;
}

static enum term after_down(const struct term_facts *f)
{
	if (!f->is_well)
		return TERM_DOWN;
	return f->is_joined && !f->is_another_run ? TERM_SERVING : TERM_JOINING;
}

enum term term_next(enum term from, const struct term_facts *f)
{
	if (from == TERM_IDLE)
		return f->owns ? TERM_JOINING : TERM_IDLE;
	if (from == TERM_LEAVING)
		return f->owns ? TERM_JOINING : f->is_forgotten ? TERM_IDLE : TERM_LEAVING;
	if (!f->owns)
		return TERM_LEAVING;
	switch (from) {
	case TERM_JOINING:
		return after_joining(f);
	case TERM_SERVING:
		return after_serving(f);
	case TERM_SUSPECT:
		return after_suspect(f);
	default:
		assert(from == TERM_DOWN);
		return after_down(f);
	}
}

const char *term_name(enum term term)
{
	static const char *const names[TERMS] = {
	    [TERM_IDLE] = "idle",	[TERM_JOINING] = "joining", [TERM_SERVING] = "serving",
	    [TERM_SUSPECT] = "suspect", [TERM_DOWN] = "down",	    [TERM_LEAVING] = "leaving",
	};

	assert(term < TERMS);
	return names[term];
}
